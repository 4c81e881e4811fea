"""One client's connection: reads frames as they come, keeps both sides' windows, writes answers in few pieces.

What a client can make us keep is bounded: streams, bytes of unfinished bodies, bytes of header blocks, answers that
it does not read, streams that it opens only to reset them.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ferryman_server.http2 import frames
from ferryman_server.http2.fields import MOST_BYTES, Reader
from ferryman_server.http2.frames import Code, ConnectionFaultError, Kind, Setting, StreamFaultError
from ferryman_server.http2.stream import Stream

MOST_STREAMS = 256
_FRAME = 256 * 1024
_CREDIT = 1 << 20
"""How much is taken of the connection's window before it is given back."""
_MOST_UNREAD = 64 << 20
"""Bytes of answers, and of acknowledgements, that a client may leave unread."""
_MOST_RESETS = 1000
"""Streams that a client may give up, net of those that it lets us answer."""

_MOST_DROPPED = 128


class Service(Protocol):
    """Who answers requests."""

    most_bytes: int
    """The largest body."""

    def whole(self, stream: Stream) -> None:
        """A request is there."""

    def too_large(self, stream: Stream) -> None:
        """A request has more bytes than it may have, and is not waited for; it must be refused."""


class Crowd(Protocol):
    """Who knows all connections."""

    def came(self, connection: "Connection") -> None:
        """One more."""

    def went(self, connection: "Connection") -> None:
        """One less."""


class Connection(asyncio.Protocol):
    """One client's."""

    def __init__(self, service: Service, among: "Crowd") -> None:
        self.service = service
        self._most_bytes = service.most_bytes
        self._among = among
        self._fields = Reader()
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._buffer = b""
        self._out: list[bytes] = []
        self._reading = False
        self._greeted = False
        self._told = False  # whether the client's settings have come, which must be the first frame
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags and bytes of one that is not whole
        self._window = frames.USUAL_WINDOW  # what the client takes now, over all streams
        self._stream_window = frames.USUAL_WINDOW
        self._frame = frames.USUAL_FRAME
        self._taken = 0
        self._held = 0  # bytes of bodies that are not whole
        self._resets = 0
        self._dropped: dict[int, None] = {}  # streams whose client may not have heard yet that they have ended
        self._leaving = False
        self._transport: asyncio.Transport

    # --- asyncio's own entrances ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is taken here."""
        self._transport = cast(asyncio.Transport, transport)
        self._among.came(self)
        window = min(self._most_bytes + 64 * 1024, frames.MOST_WINDOW)  # a whole body without asking
        self._transport.write(
            frames.settings(
                {
                    Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                    Setting.INITIAL_WINDOW_SIZE: window,
                    Setting.MAX_FRAME_SIZE: _FRAME,
                    Setting.MAX_HEADER_LIST_SIZE: MOST_BYTES,
                }
            )
            + frames.window_update(0, frames.MOST_WINDOW - frames.USUAL_WINDOW)
        )

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell all who work for this client."""
        self._among.went(self)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            if stream.gone is not None:
                stream.gone()

    def data_received(self, data: bytes) -> None:
        """Take all whole frames; write what they caused at once."""
        buffer = self._buffer + data if self._buffer else data
        self._reading = True
        try:
            at = self._frames(buffer)
            self._buffer = buffer[at:] if at < len(buffer) else b""
        except ConnectionFaultError as fault:
            self._end(fault.code, str(fault))
        finally:
            self._reading = False
            self._flush()

    # --- reading ---

    def _frames(self, buffer: bytes) -> int:
        at, end = 0, len(buffer)
        if not self._greeted:
            if not frames.PREFACE.startswith(buffer[: len(frames.PREFACE)]):
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "this port speaks HTTP/2 with prior knowledge")
            if end < len(frames.PREFACE):
                return 0
            self._greeted, at = True, len(frames.PREFACE)
        while end - at >= frames.HEAD and not self._transport.is_closing():
            size = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
            if size > _FRAME:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes; {_FRAME} are allowed")
            start = at + frames.HEAD
            if end - start < size:
                break
            number = int.from_bytes(buffer[at + 5 : start], "big") & frames.MOST_WINDOW
            at_kind, at_flags, at = buffer[at + 3], buffer[at + 4], start + size
            try:
                self._take(at_kind, at_flags, number, buffer[start:at])
            except StreamFaultError as fault:
                self._drop(fault.stream, fault.code)
        return at

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and (kind != Kind.CONTINUATION or number != self._block[0]):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a header block was interrupted")
        if not self._told and (kind != Kind.SETTINGS or flags & frames.ACK):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings come first")
        if kind == Kind.HEADERS:
            self._take_headers(flags, number, payload)
        elif kind == Kind.DATA:
            self._take_data(flags, number, payload)
        else:
            take = _OTHERS.get(kind)
            if take is not None:  # unknown kinds are for extensions, and ignored
                take(self, flags, number, payload)

    def _take_headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number % 2:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "clients' streams have odd numbers")
        block = frames.content(flags, payload)
        if flags & frames.PRIORITISED:
            self._check_priority(number, payload[1:] if flags & frames.PADDED else payload)
        if flags & frames.END_HEADERS:
            self._take_block(number, flags, block)
        else:
            self._block = number, flags, bytearray(block)

    def _take_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a continuation of nothing")
        _, begun, block = self._block
        block += payload
        if len(block) > MOST_BYTES:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, f"header fields of more than {MOST_BYTES} bytes")
        if flags & frames.END_HEADERS:
            self._block = None
            self._take_block(number, begun, bytes(block))

    def _take_block(self, number: int, flags: int, block: bytes) -> None:
        ends = flags & frames.END_STREAM
        if number <= self._last:
            self._take_trailers(number, block, ends=bool(ends))
            return
        self._last = number
        fields = self._fields.request(number, block)
        if self._leaving or len(self._streams) >= MOST_STREAMS:
            raise StreamFaultError(number, Code.REFUSED_STREAM)
        stream = self._streams[number] = Stream(self, number, fields, self._stream_window)
        if ends:
            self._whole(stream)

    def _take_trailers(self, number: int, block: bytes, *, ends: bool) -> None:
        self._fields.trailers(block)
        stream = self._streams.get(number)
        if stream is None or stream.whole:
            raise ConnectionFaultError(Code.STREAM_CLOSED, "header fields on a stream that has ended")
        if not ends:
            raise StreamFaultError(number, Code.PROTOCOL_ERROR)
        self._whole(stream)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        self._credit(len(payload))
        stream = self._streams.get(number)
        if stream is None or stream.whole:
            if number == 0 or number > self._last:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "data on a stream that nobody opened")
            if number in self._dropped:
                return
            raise StreamFaultError(number, Code.STREAM_CLOSED)
        data = frames.content(flags & ~frames.PRIORITISED, payload)
        stream.left -= len(data)
        if stream.parts or not flags & frames.END_STREAM or len(data) > self._most_bytes:
            if not self._grow(stream, data):
                return
        else:
            stream.body = data
        if flags & frames.END_STREAM:
            self._whole(stream)

    def _grow(self, stream: Stream, data: bytes) -> bool:
        self._held += len(data)
        stream.parts += data
        if len(stream.parts) > self._most_bytes:
            self.service.too_large(stream)
            return False
        if self._held > 4 * self._most_bytes:
            raise StreamFaultError(stream.number, Code.ENHANCE_YOUR_CALM)
        return True

    def _whole(self, stream: Stream) -> None:
        if b"content-length" in stream.fields and stream.left:
            raise StreamFaultError(stream.number, Code.PROTOCOL_ERROR)
        stream.whole = True
        if stream.parts:
            self._held -= len(stream.parts)
            stream.body = bytes(stream.parts)
        self._resets = max(0, self._resets - 1)
        self.service.whole(stream)

    def _credit(self, size: int) -> None:
        """What has come no longer counts against the connection: the bytes that are held are counted elsewhere."""
        self._taken += size
        if self._taken >= _CREDIT:
            self._write(frames.window_update(0, self._taken))
            self._taken = 0

    # --- the other frames ---

    def _take_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection has no priority")
        if len(payload) != 5:
            raise StreamFaultError(number, Code.FRAME_SIZE_ERROR)
        self._check_priority(number, payload)

    @staticmethod
    def _check_priority(number: int, payload: bytes) -> None:
        if frames.number(payload[:4]) == number:
            raise StreamFaultError(number, Code.PROTOCOL_ERROR)

    def _take_reset(self, _flags: int, number: int, payload: bytes) -> None:
        frames.number(payload)
        if number == 0 or number > self._last:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a reset of a stream that nobody opened")
        stream = self._forget(number)
        if stream is None:
            return
        self._resets += 1
        if self._resets > _MOST_RESETS:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "too many streams are opened only to be reset")
        if stream.gone is not None:
            stream.gone()

    def _take_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings are the connection's")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "an acknowledgement says nothing")
            return
        self._told = True
        for name, value in frames.pairs(payload):
            if name == Setting.INITIAL_WINDOW_SIZE:
                self._resize(value)
            elif name == Setting.MAX_FRAME_SIZE:
                if not frames.USUAL_FRAME <= value <= frames.MOST_FRAME:
                    raise ConnectionFaultError(Code.PROTOCOL_ERROR, f"frames of {value} bytes")
                self._frame = value
            elif name == Setting.ENABLE_PUSH and value > 1:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "push is wanted or it is not")
        self._write(frames.frame(Kind.SETTINGS, frames.ACK, 0))

    def _resize(self, value: int) -> None:
        if value > frames.MOST_WINDOW:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        more, self._stream_window = value - self._stream_window, value
        for stream in list(self._streams.values()):
            stream.window += more
            if stream.window > frames.MOST_WINDOW:
                raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, f"a window of {stream.window} bytes")
        self._go_on()

    def _take_push(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFaultError(Code.PROTOCOL_ERROR, "clients do not push")

    def _take_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "pings are the connection's")
        if len(payload) != 8:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "a ping has eight bytes")
        if not flags & frames.ACK:
            self._write(frames.frame(Kind.PING, frames.ACK, 0, payload))
        elif self._leaving is False and payload == _LEAVING:
            self._leave()

    def _take_goaway(self, _flags: int, number: int, _payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection goes, not a stream")

    def _take_window(self, _flags: int, number: int, payload: bytes) -> None:
        more = frames.number(payload)
        if number == 0:
            self._window += more
            if not more or self._window > frames.MOST_WINDOW:
                code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
                raise ConnectionFaultError(code, "the connection's window")
        elif number > self._last:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "a window of a stream that nobody opened")
        else:
            if not more:
                raise StreamFaultError(number, Code.PROTOCOL_ERROR)
            stream = self._streams.get(number)
            if stream is None:
                return
            stream.window += more
            if stream.window > frames.MOST_WINDOW:
                raise StreamFaultError(number, Code.FLOW_CONTROL_ERROR)
        self._go_on()

    # --- answering ---

    def answer(self, stream: Stream, head: bytes, body: bytes, trailers: bytes) -> None:
        """Write as much of an answer as the client takes; the rest when it takes more."""
        number, size = stream.number, len(body)
        if number not in self._streams:
            return
        first = frames.frame(Kind.HEADERS, frames.END_HEADERS, number, head)
        if size <= self._frame and size <= stream.window and size <= self._window:
            self._window -= size
            del self._streams[number]
            last = frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, trailers)
            self._write(b"".join((first, frames.frame(Kind.DATA, 0, number, body), last)))
            self._left()
            return
        stream.rest, stream.trailers = memoryview(body), trailers
        self._write(first)
        self._push(stream)

    def refuse(self, stream: Stream, head: bytes) -> None:
        """Answer with fields alone; what is still to come of the request is not waited for."""
        number = stream.number
        if self._forget(number) is None:
            return
        self._write(frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, head))
        if not stream.whole:
            self._forgive(number)
            self._write(frames.reset(number, Code.NO_ERROR))
        self._left()

    def _push(self, stream: Stream) -> None:
        while stream.rest:
            size = min(len(stream.rest), stream.window, self._window, self._frame)
            if size <= 0:
                return
            self._write(frames.frame(Kind.DATA, 0, stream.number, stream.rest[:size]))
            stream.rest = stream.rest[size:]
            stream.window -= size
            self._window -= size
        del self._streams[stream.number]
        end = frames.END_HEADERS | frames.END_STREAM
        self._write(frames.frame(Kind.HEADERS, end, stream.number, stream.trailers))
        self._left()

    def _go_on(self) -> None:
        for stream in [one for one in self._streams.values() if one.rest]:
            self._push(stream)

    def _write(self, piece: bytes) -> None:
        self._out.append(piece)
        if not self._reading:
            self._flush()

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
            if self._transport.get_write_buffer_size() > _MOST_UNREAD:
                self._transport.abort()
        self._out.clear()

    # --- the end of a stream, and of all ---

    def _drop(self, number: int, code: Code) -> None:
        stream = self._forget(number)
        self._forgive(number)
        self._write(frames.reset(number, code))
        if stream is not None and stream.gone is not None:
            stream.gone()
        self._left()

    def _forgive(self, number: int) -> None:
        """What is on its way for this stream is no fault of its client's."""
        self._dropped[number] = None
        if len(self._dropped) > _MOST_DROPPED:
            del self._dropped[next(iter(self._dropped))]

    def _forget(self, number: int) -> Stream | None:
        stream = self._streams.pop(number, None)
        if stream is not None and not stream.whole:
            self._held -= len(stream.parts)
        return stream

    def leave(self) -> None:
        """Ask the client to open no stream any more; go when it has heard, and all its streams have ended."""
        self._write(frames.goaway(frames.MOST_WINDOW, Code.NO_ERROR) + frames.frame(Kind.PING, 0, 0, _LEAVING))

    def _leave(self) -> None:
        self._leaving = True
        self._write(frames.goaway(self._last, Code.NO_ERROR))
        self._left()

    def _left(self) -> None:
        if self._leaving and not self._streams:
            self._flush()
            self._transport.close()

    def _end(self, code: Code, why: str) -> None:
        self._out.append(frames.goaway(self._last, code, why))
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Go now."""
        self._transport.abort()


_LEAVING = b"ferryman"
_OTHERS: dict[int, Callable[[Connection, int, int, bytes], None]] = {
    Kind.PRIORITY: Connection._take_priority,
    Kind.RST_STREAM: Connection._take_reset,
    Kind.SETTINGS: Connection._take_settings,
    Kind.PUSH_PROMISE: Connection._take_push,
    Kind.PING: Connection._take_ping,
    Kind.GOAWAY: Connection._take_goaway,
    Kind.WINDOW_UPDATE: Connection._take_window,
    Kind.CONTINUATION: Connection._take_continuation,
}
