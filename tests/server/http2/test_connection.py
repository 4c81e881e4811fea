"""Requests and answers on a connection whose other end is in the test's hands."""

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Encoder
from server.http2.pair import HEAD, REQUEST, TRAILERS, Pair, block, body_of, of, told

from ferryman_server.http2 import fields, frames
from ferryman_server.http2.frames import Code, Kind


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
