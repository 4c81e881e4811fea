"""What breaks the protocol ends a stream or the connection, with its code, and nothing is kept of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.http2.pair import Pair, Wire, block, told

from ferryman_server.http2 import connection, fields, frames
from ferryman_server.http2.frames import Code, Kind, Setting

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
