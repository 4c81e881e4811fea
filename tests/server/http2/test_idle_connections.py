"""For how long a client may keep us waiting: the clock is in the test's hands, too."""

import h2.events
import pytest
from server.http2.pair import Pair, Wire, block, of, told

from ferryman_server.http2 import connection, frames, patience
from ferryman_server.http2.frames import Code, Kind


def passes(pair: Pair, minutes: float) -> None:
    """As many looks of the clock as there are in a time, in none."""
    for _ in range(int(minutes * 60 / patience.SECONDS)):
        if not pair.wire.closed:
            pair.here.look()


UNFINISHED = {
    "no word": [],
    "half a preface": [frames.PREFACE[:10]],
    "a preface alone": [frames.PREFACE],
    "half of its settings": [frames.PREFACE + frames.settings({})[:-1]],
    "a block of fields": [frames.PREFACE, frames.settings({}), frames.frame(Kind.HEADERS, 0, 1, block())],
    "half a frame of fields": [frames.PREFACE, frames.settings({}), frames.frame(Kind.HEADERS, 4, 1, block())[:-5]],
    "half a ping": [frames.PREFACE, frames.settings({}), frames.frame(Kind.PING, 0, 0, b"12345678")[:12]],
}


@pytest.mark.parametrize("pieces", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_client_that_stops_in_the_middle_is_not_waited_for(pieces: list[bytes]) -> None:
    pair = Pair()
    pair.wire = Wire()
    pair.here = connection.Connection(pair.echo, pair.echo)
    pair.here.connection_made(pair.wire)
    for piece in pieces:
        pair.raw(piece)

    passes(pair, 1)
    still = pair.wire.closed
    passes(pair, 1)

    assert (still, pair.ended()) == (False, Code.NO_ERROR)


def test_fields_that_dribble_are_not_waited_for() -> None:
    pair = Pair()
    pair.raw(frames.frame(Kind.HEADERS, 0, 1, block()))
    for byte in b"not so much as this":
        if not pair.wire.closed:
            pair.raw(frames.frame(Kind.CONTINUATION, 0, 1, bytes((byte,))))
            passes(pair, 0.5)

    assert pair.ended() is Code.NO_ERROR


def test_a_body_that_stops_is_refused_and_its_neighbours_are_not() -> None:
    pair = Pair()
    stopped, slow = pair.ask(b"a" * 10, ends=False), pair.ask(b"b" * 10, ends=False)
    asked = pair.ask(path="/wait")
    events = pair.exchange()
    for _ in range(10):
        passes(pair, 0.5)
        pair.client.send_data(slow, b"c")
        events += pair.exchange()
    pair.client.end_stream(slow)
    events += pair.exchange()

    heads = {event.stream_id: dict(event.headers)[":status"] for event in of(events, h2.events.ResponseReceived)}
    assert heads == {stopped: "408", slow: "200"}
    assert pair.echo.given_up == []
    assert [stream.number for stream in pair.echo.waiting] == [asked]  # it is us who are slow


def test_a_large_frame_over_a_slow_line_is_waited_for() -> None:
    pair = Pair()
    pair.ask(ends=False)
    pair.exchange()
    sent = frames.frame(Kind.DATA, frames.END_STREAM, 1, b"a" * 20)
    pair.raw(sent[: frames.HEAD])
    for at in range(frames.HEAD, len(sent)):
        pair.raw(sent[at : at + 1])
        passes(pair, 0.5)

    assert not pair.wire.closed
    assert [stream.body for stream in pair.echo.seen] == [b"a" * 20]


def test_an_answer_that_its_client_does_not_take_is_not_kept() -> None:
    pair = Pair(INITIAL_WINDOW_SIZE=10)
    stalled, slow = pair.ask(b"a" * 100), pair.ask(b"b" * 16)
    events = pair.exchange()
    for _ in range(6):
        passes(pair, 0.5)
        pair.client.increment_flow_control_window(1, slow)
        events += pair.exchange()

    assert [(event.stream_id, event.error_code) for event in of(events, h2.events.StreamReset)] == [
        (stalled, Code.CANCEL)
    ]
    assert [event.stream_id for event in of(events, h2.events.StreamEnded)] == [slow]
    assert not pair.here._session.streams


def test_a_connection_that_rests_is_kept_for_longer_than_envoy_keeps_it_and_asked_to_go_then() -> None:
    pair = Pair()
    pair.ask(b"1")
    pair.exchange()

    passes(pair, 62)
    hour = told(pair.wire.taken())
    passes(pair, 3)
    asked = [kind for kind, _ in told(pair.wire.taken())]
    closed = pair.wire.closed
    passes(pair, 1)

    assert hour == []
    assert asked == [Kind.GOAWAY, Kind.PING]
    assert (closed, pair.wire.closed) == (False, True)
