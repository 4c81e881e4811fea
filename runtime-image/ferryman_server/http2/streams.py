"""The streams of one connection, and what a client can make us keep of them.

All of it is bounded: streams, bytes of bodies that are not whole, streams that are opened only to be reset, and
streams of which something may still be on its way.
"""

from ferryman_server.http2.frames import Code, ConnectionFaultError, StreamFaultError
from ferryman_server.http2.stream import Stream

MOST = 256
_MOST_RESETS = 1000
"""Streams that a client may give up, or make us give up, net of those that it lets us answer."""
_MOST_DROPPED = 1024


class Streams:
    """Those that are open, and those of which the client may not have heard yet that they have ended."""

    def __init__(self, most_bytes: int) -> None:
        self.last = 0
        """The highest number that the client has used (RFC 9113, section 5.1.1: they only grow)."""
        self.most_bytes = most_bytes
        """The largest body."""
        self._open: dict[int, Stream] = {}
        self._dropped: dict[int, None] = {}
        self._held = 0  # bytes of bodies that are not whole
        self._resets = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, stream: Stream) -> bool:
        return stream.number in self._open

    def all(self) -> list[Stream]:
        """Those that are open now."""
        return list(self._open.values())

    def get(self, number: int) -> Stream | None:
        """The open stream of a number."""
        return self._open.get(number)

    def was_dropped(self, number: int) -> bool:
        """Whether what comes for a stream was on its way when we ended it: no fault of the client's."""
        return number in self._dropped

    def check_opened(self, number: int, what: str) -> None:
        """Refuse what comes for a stream of a number that was never used."""
        if number == 0 or number > self.last:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, f"{what} for a stream that nobody opened")

    def open(self, stream: Stream) -> None:
        """Keep one more."""
        if len(self._open) >= MOST:
            raise StreamFaultError(stream.number, Code.REFUSED_STREAM)
        self._open[stream.number] = stream

    def grow(self, stream: Stream, data: bytes) -> bool:
        """Keep more of a body; whether it is as large as it may be, or less."""
        if data:
            stream.waited = 0
        self._held += len(data)
        stream.parts += data
        if len(stream.parts) > self.most_bytes:
            return False
        if self._held > 4 * self.most_bytes:
            raise StreamFaultError(stream.number, Code.ENHANCE_YOUR_CALM)
        return True

    def complete(self, stream: Stream) -> None:
        """Nothing more comes of a request."""
        if b"content-length" in stream.fields and stream.left:
            raise StreamFaultError(stream.number, Code.PROTOCOL_ERROR)
        stream.whole = True
        if stream.parts:
            self._held -= len(stream.parts)
            stream.body = bytes(stream.parts)

    def close(self, stream: Stream) -> None:
        """All of an answer has been written."""
        del self._open[stream.number]

    def forget(self, number: int, *, forgiven: bool = False) -> Stream | None:
        """End a stream before its time; if forgiven, what is on its way for it is no fault of its client's."""
        if forgiven:
            self._dropped[number] = None
            if len(self._dropped) > _MOST_DROPPED:
                del self._dropped[next(iter(self._dropped))]
        stream = self._open.pop(number, None)
        if stream is not None and not stream.whole:
            self._held -= len(stream.parts)
        return stream

    def forget_all(self) -> list[Stream]:
        """The client has gone; return what it waited for."""
        streams, self._open = self._open, {}
        return list(streams.values())

    def count_answer(self) -> None:
        """The client lets us answer."""
        self._resets = max(0, self._resets - 1)

    def count_reset(self) -> None:
        """A stream was reset, by whomever: a client can make us do it."""
        self._resets += 1
        if self._resets > _MOST_RESETS:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "too many streams are opened only to be reset")
