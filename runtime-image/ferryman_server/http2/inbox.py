"""Bytes as they come, to whole frames: the preface, frames in pieces, and header blocks in pieces."""

from collections.abc import Iterator
from typing import NamedTuple

from ferryman_server.http2 import frames
from ferryman_server.http2.fields import MOST_BYTES
from ferryman_server.http2.frames import Code, ConnectionFaultError, Kind

MOST_FRAME = 256 * 1024


class Frame(NamedTuple):
    """One frame; HEADERS have their whole block, whatever it came in, without padding or priority."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class Inbox:
    """What a client sent, in its order."""

    def __init__(self) -> None:
        self._buffer = b""
        self._greeted = False
        self._block: tuple[int, int, bytearray] | None = None  # flags, stream and bytes of one that is not whole
        self._moves = 0  # how often something became whole

    def take(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now; `ConnectionFaultError` for what is no HTTP/2."""
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        if not self._greeted:
            if not frames.PREFACE.startswith(buffer[: len(frames.PREFACE)]):
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "this port speaks HTTP/2 with prior knowledge")
            self._greeted = end >= len(frames.PREFACE)
            at = len(frames.PREFACE) if self._greeted else end + frames.HEAD
        while end - at >= frames.HEAD:
            size = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            if size > MOST_FRAME:
                told = f"a frame of {size} bytes; {MOST_FRAME} are allowed"
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, told)
            start = at + frames.HEAD
            if end - start < size:
                break
            stream = int.from_bytes(buffer[at + 5 : start], "big") & frames.MOST_WINDOW
            kind, flags, at = buffer[at + 3], buffer[at + 4], start + size
            found = self._whole(kind, flags, stream, buffer[start:at])
            if found is not None:
                yield found
        if at:
            self._moves += 1
        self._buffer = buffer[at:] if self._greeted else buffer

    def unfinished(self) -> object:
        """What has begun and is not whole, equal to itself until it has come further; None if nothing has.

        A body comes further with each byte; fields, and the first words, only when they are whole.
        """
        if self._block is not None:
            return "fields", self._block[1]
        if not self._greeted:
            return "preface"
        if not self._buffer:
            return None
        return self._moves, len(self._buffer) if self.in_body() else 0

    def in_body(self) -> int:
        """The stream of whose body a piece has begun and is not whole; 0 if there is none."""
        if len(self._buffer) < frames.HEAD or self._buffer[3] != Kind.DATA:
            return 0
        return int.from_bytes(self._buffer[5 : frames.HEAD], "big") & frames.MOST_WINDOW

    def _whole(self, kind: int, flags: int, stream: int, payload: bytes) -> Frame | None:
        if self._block is not None and (kind != Kind.CONTINUATION or stream != self._block[1]):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a header block was interrupted")
        if kind == Kind.CONTINUATION:
            return self._continued(flags, payload)
        if kind != Kind.HEADERS:
            return Frame(kind, flags, stream, payload)
        block = frames.content(flags, payload)
        if flags & frames.END_HEADERS:
            _check(block)
            return Frame(kind, flags, stream, block)
        self._block = flags, stream, bytearray(block)
        return None

    def _continued(self, flags: int, payload: bytes) -> Frame | None:
        if self._block is None:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a continuation of nothing")
        begun, stream, block = self._block
        block += payload
        _check(block)
        if not flags & frames.END_HEADERS:
            return None
        self._block = None
        return Frame(Kind.HEADERS, begun, stream, bytes(block))


def _check(block: bytes | bytearray) -> None:
    """Refuse what takes long to read, in one frame as in many."""
    if len(block) > MOST_BYTES:
        raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, f"header fields of more than {MOST_BYTES} bytes")
