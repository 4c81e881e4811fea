"""What one client can make a connection keep, or do over and over, has an end."""

from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Encoder
from server.http2.pair import REQUEST, Pair, block, of, told

from ferryman_server.http2 import fields, frames, streams
from ferryman_server.http2.frames import Code, Kind, Setting
from ferryman_server.http2.outbox import Outbox


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
    for _ in range(200):
        pair.ask(path="/wait")
    pair.exchange()
    resized.clear()
    windows = b"".join(
        Setting.INITIAL_WINDOW_SIZE.to_bytes(2, "big") + size.to_bytes(4, "big") for size in range(40_000)
    )

    pair.raw(frames.frame(Kind.SETTINGS, 0, 0, windows))

    assert resized == [39_999]
    assert {stream.window for stream in pair.echo.waiting} == {39_999}
