"""Frames: nine bytes of head and what follows (RFC 9113, sections 4, 6 and 7)."""

import enum
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9
MOST_WINDOW = (1 << 31) - 1
USUAL_WINDOW = 65_535
USUAL_FRAME = 16_384
MOST_FRAME = (1 << 24) - 1

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20


class Kind(enum.IntEnum):
    """What a frame is for."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Setting(enum.IntEnum):
    """What one side tells the other about itself."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(enum.IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFaultError(Exception):
    """The other side broke the protocol in a way that ends the connection."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(what)
        self.code = code


class StreamFaultError(Exception):
    """The other side broke the protocol in a way that ends one stream."""

    def __init__(self, stream: int, code: Code) -> None:
        super().__init__(code.name)
        self.stream = stream
        self.code = code


_head = struct.Struct(">HBBBI").pack
_pair = struct.Struct(">HI")
_number = struct.Struct(">I")


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return _head(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """What this side says of itself."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_pair.pack(name, value) for name, value in values.items()))


def pairs(payload: bytes) -> list[tuple[int, int]]:
    """What the other side says of itself: (setting, value)."""
    if len(payload) % _pair.size:
        raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "settings that are no pairs")
    return list(_pair.iter_unpack(payload))


def window_update(stream: int, more: int) -> bytes:
    """So many bytes more may be sent to us; stream 0 is the connection."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, _number.pack(more))


def reset(stream: int, code: Code) -> bytes:
    """A stream ends before its time."""
    return frame(Kind.RST_STREAM, 0, stream, _number.pack(code))


def goaway(last: int, code: Code, why: str = "") -> bytes:
    """No stream after `last` was looked at, and none will be."""
    return frame(Kind.GOAWAY, 0, 0, _number.pack(last) + _number.pack(code) + why.encode())


def number(payload: bytes) -> int:
    """The one number that a frame holds; the first bit means nothing."""
    if len(payload) != _number.size:
        raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "a number has four bytes")
    return int.from_bytes(payload, "big") & MOST_WINDOW


def content(flags: int, payload: bytes) -> bytes:
    """A frame's payload without its padding, and without the priority that nobody heeds any more."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload or payload[0] >= end:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "more padding than frame")
        start, end = 1, end - payload[0]
    if flags & PRIORITISED:
        start += 5
    if start > end:
        raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "a priority has five bytes")
    return payload[start:end] if start else payload
