"""One client after another, some of them rude: real frames on a connection whose other end is in the test's hands."""

import asyncio
import contextlib
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from server.http2.pair import HEAD, REQUEST, TRAILERS, Echo, Pair, Wire, block, body_of, of, told

from ferryman_server.http2 import connection, fields, frames, streams
from ferryman_server.http2.frames import Code, Kind, Setting
from ferryman_server.http2.outbox import Outbox


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 99_000])
def test_a_body_of_any_size_comes_back(size: int) -> None:
    pair = Pair()
    pair.client.increment_flow_control_window(1 << 20)
    pair.exchange()
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    number = pair.ask(body)
    pair.client.increment_flow_control_window(1 << 20, number)

    events = pair.exchange()
    assert body_of(events) == body
    [trailers] = of(events, h2.events.TrailersReceived)
    assert trailers.headers == [("done", "yes")]
    assert of(events, h2.events.StreamEnded)


def test_an_answer_waits_for_the_clients_window_and_then_comes_whole() -> None:
    pair = Pair(INITIAL_WINDOW_SIZE=10)
    number = pair.ask(b"a" * 25)

    first = body_of(pair.exchange())
    pair.client.increment_flow_control_window(10, number)
    second = body_of(pair.exchange())
    pair.client.increment_flow_control_window(100, number)
    rest = pair.exchange()

    assert (len(first), len(second), len(body_of(rest))) == (10, 10, 5)
    assert of(rest, h2.events.TrailersReceived)


def test_answers_share_the_connections_window() -> None:
    pair = Pair(INITIAL_WINDOW_SIZE=1 << 20)
    pair.ask(b"a" * 60_000)
    pair.ask(b"b" * 60_000)

    first = body_of(pair.exchange())
    pair.client.increment_flow_control_window(1 << 20)
    rest = body_of(pair.exchange())

    assert len(first) == 65_535
    assert first + rest == b"a" * 60_000 + b"b" * 60_000


def test_a_block_that_points_into_the_table_means_what_the_table_says_now() -> None:
    pair, encoder = Pair(), Encoder()

    def ask(number: int, value: str) -> dict[bytes, bytes]:
        payload = encoder.encode([*REQUEST, ("x-who", value)])
        pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, payload))
        return pair.echo.seen[-1].fields

    values = ["a", "a", "a", "b", "b", "a", "b", "b"]

    found = [ask(1 + 2 * at, value)[b"x-who"].decode() for at, value in enumerate(values)]

    assert found == values


def test_blocks_in_pieces_padding_priorities_and_trailers_are_understood() -> None:
    pair = Pair()
    whole = block()
    padded = bytes((3,)) + b"\x00\x00\x00\x00\x10" + whole[:10] + b"\x00" * 3

    pair.raw(
        frames.frame(Kind.HEADERS, frames.PADDED | frames.PRIORITISED, 1, padded),
        frames.frame(Kind.CONTINUATION, 0, 1, whole[10:20]),
        frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 1, whole[20:]),
        frames.frame(Kind.DATA, frames.PADDED, 1, b"\x02hey\x00\x00"),
        frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, fields.write((b"sum", b"1"))),
    )

    assert [stream.body for stream in pair.echo.seen] == [b"hey"]


def test_requests_come_apart_at_every_byte() -> None:
    pair = Pair()
    pair.client.increment_flow_control_window(1000)
    number = pair.ask(b"hello")
    sent = pair.client.data_to_send()

    for at in range(len(sent)):
        pair.raw(sent[at : at + 1])

    assert body_of(pair.client.receive_data(pair.wire.taken())) == b"hello"
    assert pair.echo.seen[0].number == number


def test_a_client_that_gives_up_is_told_to_whoever_works_for_it() -> None:
    pair = Pair()
    kept, left = pair.ask(b"1", "/later"), pair.ask(b"2", "/later")
    pair.exchange()

    pair.client.reset_stream(left)
    pair.exchange()
    assert pair.echo.given_up == [left]

    pair.here.connection_lost(None)
    assert pair.echo.given_up == [left, kept]
    assert pair.echo.open == 0
    for stream in pair.echo.waiting:
        stream.answer(HEAD, b"too late", TRAILERS)
    assert pair.wire.taken() == b""


def test_a_connection_that_leaves_answers_what_it_has_and_takes_nothing_more() -> None:
    pair = Pair()
    pair.ask(b"1", "/later")
    pair.exchange()

    pair.here.leave()
    assert told(pair.wire.taken()) == [(Kind.GOAWAY, Code.NO_ERROR), (Kind.PING, None)]
    late = frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, block())
    pair.raw(late)  # sent before the client has heard: it is answered
    assert [kind for kind, _ in told(pair.wire.taken())] == [Kind.HEADERS, Kind.DATA, Kind.HEADERS]

    pair.raw(frames.frame(Kind.PING, frames.ACK, 0, b"ferryman"))
    assert told(pair.wire.taken()) == [(Kind.GOAWAY, Code.NO_ERROR)]
    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 5, block()))
    assert told(pair.wire.taken()) == [(Kind.RST_STREAM, Code.REFUSED_STREAM)]
    assert not pair.wire.closed

    pair.echo.waiting[0].answer(HEAD, b"done", TRAILERS)

    assert [kind for kind, _ in told(pair.wire.written)] == [Kind.HEADERS, Kind.DATA, Kind.HEADERS]
    assert pair.wire.closed


# What a client may not make us keep


@pytest.mark.parametrize("ends", ["by nonsense", "by the client's last word"])
def test_what_was_promised_for_this_turn_is_answered_before_a_connection_ends(ends) -> None:
    pair = Pair()
    number = pair.ask(b"abc", path="/soon")
    assert not pair.exchange()

    if ends == "by nonsense":
        pair.raw(frames.frame(Kind.PING, 0, 0, b"short"))
    else:
        pair.here.eof_received()

    events = pair.client.receive_data(pair.wire.taken())
    assert body_of(events) == b"abc"
    assert [event.stream_id for event in of(events, h2.events.StreamEnded)] == [number]


def test_a_body_over_the_limit_is_refused_before_it_has_come() -> None:
    pair = Pair()

    number = pair.ask(b"a" * 60_000, ends=False)
    pair.exchange()
    pair.client.send_data(number, b"a" * 16_000)
    pair.client.send_data(number, b"a" * 16_000)
    pair.client.send_data(number, b"a" * 16_000)

    events = pair.exchange()
    [answer] = of(events, h2.events.ResponseReceived)
    assert dict(answer.headers)[":status"] == "413"
    assert of(events, h2.events.StreamReset)[0].error_code == Code.NO_ERROR
    assert not pair.echo.seen


@pytest.mark.parametrize("refused", ["its service", "the connection"])
def test_the_trailers_of_a_request_that_was_refused_take_no_other_request_along(refused: str) -> None:
    pair, encoder = Pair(), Encoder()
    too_much = [frames.frame(Kind.DATA, 0, 1, b"a" * 60_000) for _ in range(2)]
    wrong = {"its service": too_much, "the connection": [frames.window_update(1, 0)]}[refused]

    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS, 1, encoder.encode(REQUEST)), *wrong)
    trailers = encoder.encode([("sum", "of a body that nobody read")])  # which enters the table
    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, trailers))
    again = encoder.encode([*REQUEST, ("sum", "of a body that nobody read")])
    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, again))

    assert not pair.wire.closed
    assert [stream.fields[b"sum"] for stream in pair.echo.seen] == [b"of a body that nobody read"]


def test_bodies_that_never_end_are_not_kept_for_ever() -> None:
    pair = Pair()
    resets = 0
    for _ in range(8):
        pair.ask(b"a" * 64_000, ends=False)
        resets += len(of(pair.exchange(), h2.events.StreamReset))

    assert resets == 2  # of eight, six fit into four times the limit


def test_more_streams_than_allowed_are_refused_and_may_be_tried_again() -> None:
    pair = Pair()
    pieces = [frames.frame(Kind.HEADERS, frames.END_HEADERS, 1 + 2 * at, block()) for at in range(streams.MOST + 1)]

    pair.raw(*pieces)

    assert told(pair.wire.written) == [(Kind.RST_STREAM, Code.REFUSED_STREAM)]


def again_and_again(pair: Pair, flags: int, then: Callable[[int], bytes]) -> None:
    """Open a stream and do something about it at once, until the connection ends or two thousand were opened."""
    asks = fields.write(*[(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/later")])
    for number in range(1, 4000, 2):
        if pair.wire.closed:
            break
        pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | flags, number, asks), then(number))


@pytest.mark.parametrize("flags", [0, frames.END_STREAM], ids=["unfinished", "whole"])
def test_streams_that_are_opened_only_to_be_reset_end_the_connection(flags: int) -> None:
    pair = Pair()

    again_and_again(pair, flags, lambda number: frames.reset(number, Code.CANCEL))

    assert pair.ended() is Code.ENHANCE_YOUR_CALM


def test_streams_that_a_client_makes_us_reset_end_the_connection_as_those_do_that_it_resets() -> None:
    """The model is asked for each, and given up at once: as dear as a reset by the client, and as cheap for it."""
    pair = Pair()

    again_and_again(pair, frames.END_STREAM, lambda number: frames.window_update(number, 0))

    assert pair.ended() is Code.ENHANCE_YOUR_CALM
    assert len(pair.echo.given_up) == len(pair.echo.seen)


def test_requests_beyond_the_streams_that_are_allowed_do_not_end_the_connection() -> None:
    """A client that has not heard of our settings yet may send any number, and try those again that were refused."""
    pair = Pair()
    asks = fields.write(*[(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/later")])

    pair.raw(*[frames.frame(Kind.HEADERS, 5, number, asks) for number in range(1, 4000, 2)])

    assert not pair.wire.closed
    assert {code for _, code in told(pair.wire.written)} == {Code.REFUSED_STREAM}


@pytest.mark.parametrize("pieces", ["one", "many"])
def test_header_fields_without_end_end_the_connection(pieces: str) -> None:
    pair = Pair()
    large = fields.write(*[(b"x-%d" % at, b"y" * 1000) for at in range(100)])
    if pieces == "one":
        pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS, 1, block() + large))
    else:
        pair.raw(frames.frame(Kind.HEADERS, 0, 1, block()))
        for at in range(0, len(large), 1000):
            if not pair.wire.closed:
                pair.raw(frames.frame(Kind.CONTINUATION, 0, 1, large[at : at + 1000]))

    assert pair.ended() in (Code.ENHANCE_YOUR_CALM, Code.COMPRESSION_ERROR)


def test_a_client_that_reads_nothing_is_left() -> None:
    pair = Pair()
    pair.wire.unread = 1 << 30

    pair.raw(frames.frame(Kind.PING, 0, 0, b"12345678"))

    assert pair.wire.closed


def test_one_setting_said_thousands_of_times_costs_no_more_than_once(monkeypatch) -> None:
    """A frame of 256 KB may hold 43,000 windows, and each resized every stream that is open: a second of silence."""
    resized = []
    resize = Outbox.resize
    monkeypatch.setattr(Outbox, "resize", lambda *given: resized.append(given[1]) or resize(*given))
    pair = Pair()
    pair.ask(path="/wait")
    pair.exchange()
    resized.clear()

    pair.raw(
        frames.frame(
            Kind.SETTINGS,
            0,
            0,
            b"".join(Setting.INITIAL_WINDOW_SIZE.to_bytes(2, "big") + n.to_bytes(4, "big") for n in range(40_000)),
        )
    )

    assert resized == [39_999]


# What breaks the protocol

RUDE = {
    "a request of HTTP/1.1": ([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], Code.PROTOCOL_ERROR, False),
    "no settings": ([frames.PREFACE, frames.frame(Kind.PING, 0, 0, b"12345678")], Code.PROTOCOL_ERROR, False),
    "a frame that is too large": ([frames.frame(Kind.DATA, 0, 1, b"a" * 300_000)], Code.FRAME_SIZE_ERROR, True),
    "data on no stream": ([frames.frame(Kind.DATA, 0, 5, b"a")], Code.PROTOCOL_ERROR, True),
    "an even number": ([frames.frame(Kind.HEADERS, 5, 2, block())], Code.PROTOCOL_ERROR, True),
    "a continuation of nothing": ([frames.frame(Kind.CONTINUATION, 4, 1, b"")], Code.PROTOCOL_ERROR, True),
    "an interrupted block": (
        [frames.frame(Kind.HEADERS, 0, 1, block()), frames.frame(Kind.PING, 0, 0, b"12345678")],
        Code.PROTOCOL_ERROR,
        True,
    ),
    "fields that are none": (
        [frames.frame(Kind.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff")],
        Code.COMPRESSION_ERROR,
        True,
    ),
    "more padding than frame": ([frames.frame(Kind.HEADERS, 0xD, 1, b"\xffabc")], Code.PROTOCOL_ERROR, True),
    "a short ping": ([frames.frame(Kind.PING, 0, 0, b"1")], Code.FRAME_SIZE_ERROR, True),
    "a window too large": ([frames.window_update(0, frames.MOST_WINDOW)], Code.FLOW_CONTROL_ERROR, True),
    "a window of nothing": ([frames.window_update(0, 0)], Code.PROTOCOL_ERROR, True),
    "half a setting": ([frames.frame(Kind.SETTINGS, 0, 0, b"123")], Code.FRAME_SIZE_ERROR, True),
    "small frames": ([frames.settings({Setting.MAX_FRAME_SIZE: 1})], Code.PROTOCOL_ERROR, True),
    "fields in one frame that is larger than all fields may be": (
        [frames.frame(Kind.HEADERS, 5, 1, block(("a", "a" * 100_000)))],
        Code.ENHANCE_YOUR_CALM,
        True,
    ),
    "a push": ([frames.frame(Kind.PUSH_PROMISE, 4, 1, b"")], Code.PROTOCOL_ERROR, True),
}


@pytest.mark.parametrize(("pieces", "code", "greeted"), RUDE.values(), ids=RUDE.keys())
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(pieces, code, greeted) -> None:
    pair = Pair()
    if not greeted:
        pair.wire = Wire()
        pair.here = connection.Connection(pair.echo, pair.echo)
        pair.here.connection_made(pair.wire)

    pair.raw(*pieces)

    assert pair.ended() is code


@pytest.mark.parametrize(
    "more",
    [
        ("Upper", "case"),
        ("connection", "keep-alive"),
        ("te", "gzip"),
        (":path", "/twice"),
        (":status", "200"),
        ("content-length", "7"),
        ("content-length", "9" * 5_000),  # Python refuses to make a number of it
    ],
)
def test_a_request_that_is_no_request_ends_its_stream_alone(more) -> None:
    pair = Pair()

    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block(more)))
    assert told(pair.wire.taken()) == [(Kind.RST_STREAM, Code.PROTOCOL_ERROR)]

    pair.raw(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, block()))
    assert [kind for kind, _ in told(pair.wire.taken())] == [Kind.HEADERS, Kind.DATA, Kind.HEADERS]


FRAMES = st.lists(
    st.builds(
        frames.frame,
        st.integers(0, 12),
        st.integers(0, 255),
        st.one_of(st.integers(0, 6), st.integers(0, 2**31 - 1)),
        st.one_of(st.binary(max_size=40), st.just(block()), st.just(fields.write((b"a", b"b")))),
    ),
    max_size=20,
)


@settings(max_examples=1500, deadline=None)
@given(FRAMES, st.binary(max_size=30))
def test_whatever_comes_is_answered_or_ended_and_nothing_is_kept(sent: list[bytes], rest: bytes) -> None:
    pair = Pair()
    pair.wire.taken()

    for piece in (*sent, rest):
        if not pair.wire.closed:
            pair.here.data_received(piece)
    told(pair.wire.written)  # whole frames, each of a known kind

    pair.here.connection_lost(None)
    assert not pair.here._session.streams
    assert pair.here._session.streams._held >= 0


async def test_a_port_of_connections_is_left_in_peace_or_in_time() -> None:
    import socket

    from ferryman_server.http2.server import Server

    echo = Echo()
    server = Server(echo)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.listen(listener)
    address = listener.getsockname()
    _, idle = await asyncio.open_connection(*address)
    idle.write(frames.PREFACE + frames.settings({}))
    reader, _ = await asyncio.open_connection(*address)  # says nothing, not even its preface
    await asyncio.wait_for(reader.readexactly(9), 10)

    await asyncio.wait_for(server.stop(0.2), 10)

    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 10)
    assert reader.at_eof() or isinstance(reader.exception(), ConnectionResetError)
    assert not server._connections


async def test_connections_that_rest_make_room_for_others() -> None:
    import socket

    from ferryman_server.http2.server import Server

    server = Server(Echo(), 2)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.listen(listener)
    request = frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block())
    waits = request.replace(b"/echo", b"/wait")
    clients = []
    async with asyncio.timeout(20):
        for asked in (waits, request, request):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(frames.PREFACE + frames.settings({}) + asked)
            clients.append((reader, writer))
            if asked is request:
                await reader.readuntil(TRAILERS)
            else:
                await reader.readuntil(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        left = await clients[1][0].read()
    still = [reader.at_eof() for reader, _ in clients]
    for _, writer in clients:
        writer.close()
    await server.stop(None)

    assert told(left)[-1] == (Kind.GOAWAY, Code.NO_ERROR)
    assert still == [False, True, False]
