"""What goes to a client: as much of each answer as it takes now, in as few pieces as can be."""

import asyncio
from collections.abc import Iterable

from ferryman_server.http2 import frames
from ferryman_server.http2.frames import Code, ConnectionFaultError, Kind, StreamFaultError
from ferryman_server.http2.stream import Stream

MOST_UNREAD = 64 << 20
"""Bytes of answers, and of acknowledgements, that a client may leave unread."""
_END = frames.END_HEADERS | frames.END_STREAM


class Outbox:
    """The client's windows (RFC 9113, section 5.2), and what was written since the last flush."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []
        self._window = frames.USUAL_WINDOW  # what the client takes now, over all streams
        self._frame = frames.USUAL_FRAME
        self.stream_window = frames.USUAL_WINDOW
        self.gathers = False
        """Whether pieces wait for a flush, because more are about to come."""

    def write(self, piece: bytes) -> None:
        """Let a piece go, now or with those that come."""
        self._pieces.append(piece)
        if not self.gathers:
            self.flush()

    def flush(self) -> None:
        """Let everything go that was written."""
        if self._pieces and not self._transport.is_closing():
            self._transport.write(b"".join(self._pieces))
            if self._transport.get_write_buffer_size() > MOST_UNREAD:
                self._transport.abort()
        self._pieces.clear()

    def answer(self, stream: Stream, head: bytes, body: bytes, trailers: bytes) -> bool:
        """Write as much of an answer as the client takes; whether that was all."""
        number, size = stream.number, len(body)
        first = frames.frame(Kind.HEADERS, frames.END_HEADERS, number, head)
        if size <= self._frame and size <= stream.window and size <= self._window:
            self._window -= size
            last = frames.frame(Kind.HEADERS, _END, number, trailers)
            self.write(b"".join((first, frames.frame(Kind.DATA, 0, number, body), last)))
            return True
        stream.rest, stream.trailers = memoryview(body), trailers
        self.write(first)
        return self.go_on(stream)

    def go_on(self, stream: Stream) -> bool:
        """Write more of an answer; whether that was the rest."""
        while stream.rest:
            size = min(len(stream.rest), stream.window, self._window, self._frame)
            if size <= 0:
                return False
            self.write(frames.frame(Kind.DATA, 0, stream.number, stream.rest[:size]))
            stream.rest = stream.rest[size:]
            stream.window -= size
            self._window -= size
        self.write(frames.frame(Kind.HEADERS, _END, stream.number, stream.trailers))
        return True

    def refuse(self, stream: Stream, head: bytes) -> None:
        """Answer with fields alone."""
        self.write(frames.frame(Kind.HEADERS, _END, stream.number, head))

    # --- windows ---

    def widen(self, more: int) -> None:
        """The client takes more, over all streams."""
        self._window += more
        if not more or self._window > frames.MOST_WINDOW:
            code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
            raise ConnectionFaultError(code, "the connection's window")

    @staticmethod
    def widen_one(stream: Stream, more: int) -> None:
        """The client takes more of one answer."""
        stream.window += more
        if stream.window > frames.MOST_WINDOW:
            raise StreamFaultError(stream.number, Code.FLOW_CONTROL_ERROR)

    def resize(self, value: int, streams: Iterable[Stream]) -> None:
        """Every stream's window is another from now on, of those that are open, too."""
        if value > frames.MOST_WINDOW:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        more, self.stream_window = value - self.stream_window, value
        for stream in streams:
            stream.window += more
            if stream.window > frames.MOST_WINDOW:
                raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, f"a window of {stream.window} bytes")

    def resize_frames(self, value: int) -> None:
        """The client takes larger frames, or smaller ones again."""
        if not frames.USUAL_FRAME <= value <= frames.MOST_FRAME:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, f"frames of {value} bytes")
        self._frame = value
