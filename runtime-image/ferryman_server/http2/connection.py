"""One client's connection: its streams, and what each frame means for them.

What a client can make us keep is bounded: streams, bytes of unfinished bodies, bytes of header blocks, answers that
it does not read, streams that it opens only to reset them; and all that for a time (`patience`).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ferryman_server.http2 import frames, inbox, patience
from ferryman_server.http2.fields import MOST_BYTES, Reader
from ferryman_server.http2.frames import Code, ConnectionFaultError, Kind, Setting, StreamFaultError
from ferryman_server.http2.outbox import Outbox
from ferryman_server.http2.stream import Stream

MOST_STREAMS = 256
_CREDIT = 1 << 20
"""How much is taken of the connection's window before it is given back."""
_MOST_RESETS = 1000
"""Streams that a client may give up, or make us give up, net of those that it lets us answer."""
_MOST_DROPPED = 1024
_LEAVING = b"ferryman"


class Service(Protocol):
    """Who answers requests."""

    most_bytes: int
    """The largest body."""

    def whole(self, stream: Stream) -> None:
        """A request is there."""

    def too_large(self, stream: Stream) -> None:
        """A request has more bytes than it may have, and is not waited for; it must be refused."""

    def too_slow(self, stream: Stream) -> None:
        """Nothing has come of a request for a minute; it must be refused."""


class Crowd(Protocol):
    """Who knows all connections."""

    def came(self, connection: "Connection") -> None:
        """One more."""

    def went(self, connection: "Connection") -> None:
        """One less."""


class Connection(asyncio.Protocol):
    """One client's."""

    def __init__(self, service: Service, among: Crowd) -> None:
        self.service = service
        self._most_bytes = service.most_bytes
        self._among = among
        self._inbox = inbox.Inbox()
        self._fields = Reader()
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._told = False  # whether the client's settings have come, which must be the first frame
        self._taken = 0
        self._held = 0  # bytes of bodies that are not whole
        self._resets = 0
        self._dropped: dict[int, None] = {}  # streams whose client may not have heard yet that they have ended
        self._leaving = False
        self._unchanged = patience.Unchanged()
        self._rested = 0  # looks
        self._transport: asyncio.Transport
        self._outbox: Outbox

    # --- asyncio's own entrances ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is taken here."""
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = Outbox(self._transport)
        said = {
            Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: min(self._most_bytes + 64 * 1024, frames.MOST_WINDOW),  # a whole body
            Setting.MAX_FRAME_SIZE: inbox.MOST_FRAME,
            Setting.MAX_HEADER_LIST_SIZE: MOST_BYTES,
        }
        all_there_is = frames.window_update(0, frames.MOST_WINDOW - frames.USUAL_WINDOW)
        self._outbox.write(frames.settings(said) + all_there_is)
        self._among.came(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell all who work for this client."""
        self._among.went(self)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            if stream.gone is not None:
                stream.gone()

    def data_received(self, data: bytes) -> None:
        """Take all whole frames; write what they caused at once."""
        self._outbox.gathers = True
        self._rested = 0
        try:
            for frame in self._inbox.take(data):
                self._take(frame)
                if self._transport.is_closing():
                    break
        except ConnectionFaultError as fault:
            self._end(fault)
        finally:
            self._outbox.gathers = False
            self._outbox.flush()

    def look(self) -> None:
        """Half a minute later (patience.Clock): give up what has not come further."""
        if self._unchanged.too_long("settings" if not self._told else self._inbox.unfinished()):
            self._end(ConnectionFaultError(Code.NO_ERROR, "what was begun did not come"))
            return
        in_body = self._inbox.in_body()  # and comes further
        for stream in list(self._streams.values()):
            if stream.number != in_body and (not stream.whole or stream.rest):  # else it is us who are waited for
                stream.waited += 1
                if stream.waited > patience.SILENT:
                    self._give_up(stream)
        self._rested = 0 if self._streams else self._rested + 1
        if self._rested == patience.RESTS:
            self.leave()
        elif self._rested > patience.RESTS:  # it did not even hear that
            self._close()

    @property
    def rested(self) -> float | None:
        """For how many looks it has (crowd.Member)."""
        return None if self._streams else self._rested

    def go(self) -> None:
        """What the client may ask at this moment it can safely ask again."""
        self._end(ConnectionFaultError(Code.NO_ERROR, "others have come; connect again to ask again"))

    def turn_away(self) -> None:
        """It can ask again, later."""
        self._end(ConnectionFaultError(Code.NO_ERROR, "there are as many connections as there may be"))

    def _give_up(self, stream: Stream) -> None:
        if not stream.whole:
            self.service.too_slow(stream)
        elif self._forget(stream.number) is not None:  # an answer that its client does not take
            self._outbox.write(frames.reset(stream.number, Code.CANCEL))
            self._left()

    # --- requests ---

    def _take(self, frame: inbox.Frame) -> None:
        kind, flags, number, payload = frame
        if not self._told and (kind != Kind.SETTINGS or flags & frames.ACK):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings come first")
        try:
            take = _TAKES.get(kind)
            if take is not None:  # unknown kinds are for extensions, and ignored
                take(self, flags, number, payload)
        except StreamFaultError as fault:
            stream = self._forget(fault.stream, forgiven=True)
            self._outbox.write(frames.reset(fault.stream, fault.code))
            if stream is not None and stream.gone is not None:
                stream.gone()
            self._left()
            if fault.code != Code.REFUSED_STREAM:  # which it may not have known, and which costs nothing here
                self._count_reset()

    def _take_headers(self, flags: int, number: int, block: bytes) -> None:
        if not number % 2:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "clients' streams have odd numbers")
        ends = bool(flags & frames.END_STREAM)
        if number <= self._last:
            self._take_trailers(number, block, ends=ends)
            return
        self._last = number
        fields = self._fields.request(number, block)
        if self._leaving or len(self._streams) >= MOST_STREAMS:
            raise StreamFaultError(number, Code.REFUSED_STREAM)
        stream = self._streams[number] = Stream(self, number, fields, self._outbox.stream_window)
        if ends:
            self._whole(stream)

    def _take_trailers(self, number: int, block: bytes, *, ends: bool) -> None:
        self._fields.trailers(block)
        stream = self._streams.get(number)
        if number in self._dropped:  # they were on their way when it was refused
            return
        if stream is None or stream.whole:
            raise ConnectionFaultError(Code.STREAM_CLOSED, "header fields on a stream that has ended")
        if not ends:
            raise StreamFaultError(number, Code.PROTOCOL_ERROR)
        self._whole(stream)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        self._credit(len(payload))
        stream = self._streams.get(number)
        if stream is None or stream.whole:
            self._check_opened(number, "data")
            if number in self._dropped:
                return
            raise StreamFaultError(number, Code.STREAM_CLOSED)
        data = frames.content(flags & ~frames.PRIORITISED, payload)
        stream.left -= len(data)
        if not stream.parts and flags & frames.END_STREAM and len(data) <= self._most_bytes:
            stream.body = data
        elif not self._grow(stream, data):
            return
        if flags & frames.END_STREAM:
            self._whole(stream)

    def _grow(self, stream: Stream, data: bytes) -> bool:
        if data:
            stream.waited = 0
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
        self.service.whole(stream)

    def _credit(self, size: int) -> None:
        """What has come no longer counts against the connection: the bytes that are held are counted elsewhere."""
        self._taken += size
        if self._taken >= _CREDIT:
            self._outbox.write(frames.window_update(0, self._taken))
            self._taken = 0

    def _check_opened(self, number: int, what: str) -> None:
        if number == 0 or number > self._last:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, f"{what} for a stream that nobody opened")

    # --- the other frames ---

    def _take_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection has no priority")
        if len(payload) != 5:
            raise StreamFaultError(number, Code.FRAME_SIZE_ERROR)

    def _take_reset(self, _flags: int, number: int, payload: bytes) -> None:
        frames.number(payload)
        self._check_opened(number, "a reset")
        stream = self._forget(number)
        if stream is None:
            return
        if stream.gone is not None:
            stream.gone()
        self._count_reset()

    def _count_reset(self) -> None:
        """Whoever resets a stream: a client can make us do it."""
        self._resets += 1
        if self._resets > _MOST_RESETS:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "too many streams are opened only to be reset")

    def _take_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings are the connection's")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "an acknowledgement says nothing")
            return
        self._told = True
        for name, value in dict(frames.pairs(payload)).items():  # the last counts: each window costs every stream
            if name == Setting.INITIAL_WINDOW_SIZE:
                self._outbox.resize(value, self._streams.values())
            elif name == Setting.MAX_FRAME_SIZE:
                self._outbox.resize_frames(value)
            elif name == Setting.ENABLE_PUSH and value > 1:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "push is wanted or it is not")
        self._outbox.write(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        self._go_on()

    def _take_push(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFaultError(Code.PROTOCOL_ERROR, "clients do not push")

    def _take_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "pings are the connection's")
        if len(payload) != 8:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "a ping has eight bytes")
        if not flags & frames.ACK:
            self._outbox.write(frames.frame(Kind.PING, frames.ACK, 0, payload))
        elif payload == _LEAVING and not self._leaving:
            self._leaving = True
            self._outbox.write(frames.goaway(self._last, Code.NO_ERROR))
            self._left()

    def _take_goaway(self, _flags: int, number: int, _payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection goes, not a stream")

    def _take_window(self, _flags: int, number: int, payload: bytes) -> None:
        more = frames.number(payload)
        if number == 0:
            self._outbox.widen(more)
        else:
            self._check_opened(number, "a window")
            stream = self._streams.get(number)
            if not more:
                raise StreamFaultError(number, Code.PROTOCOL_ERROR)
            if stream is not None:
                self._outbox.widen_one(stream, more)
        self._go_on()

    # --- answers ---

    def answer(self, stream: Stream, head: bytes, body: bytes, trailers: bytes) -> None:
        """Write as much of an answer as the client takes; the rest when it takes more."""
        if stream.number in self._streams:
            self._resets = max(0, self._resets - 1)
            if self._outbox.answer(stream, head, body, trailers):
                del self._streams[stream.number]
                self._left()

    def refuse(self, stream: Stream, head: bytes) -> None:
        """Answer with fields alone; what is still to come of the request is not waited for."""
        if self._forget(stream.number, forgiven=not stream.whole) is None:
            return
        self._outbox.refuse(stream, head)
        if not stream.whole:
            self._outbox.write(frames.reset(stream.number, Code.NO_ERROR))
        self._left()

    def _go_on(self) -> None:
        for stream in [one for one in self._streams.values() if one.rest]:
            left = len(stream.rest)
            if self._outbox.go_on(stream):
                del self._streams[stream.number]
            elif len(stream.rest) < left:
                stream.waited = 0
        self._left()

    def _forget(self, number: int, *, forgiven: bool = False) -> Stream | None:
        """End a stream; if forgiven, what is on its way for it is no fault of its client's."""
        if forgiven:
            self._dropped[number] = None
            if len(self._dropped) > _MOST_DROPPED:
                del self._dropped[next(iter(self._dropped))]
        stream = self._streams.pop(number, None)
        if stream is not None and not stream.whole:
            self._held -= len(stream.parts)
        return stream

    # --- the end ---

    def leave(self) -> None:
        """Ask the client to open no stream any more; go when it has heard, and all its streams have ended."""
        told = frames.goaway(frames.MOST_WINDOW, Code.NO_ERROR)
        self._outbox.write(told + frames.frame(Kind.PING, 0, 0, _LEAVING))

    def _left(self) -> None:
        if self._leaving and not self._streams:
            self._close()

    def _end(self, fault: ConnectionFaultError) -> None:
        self._outbox.write(frames.goaway(self._last, fault.code, str(fault)))
        self._close()

    def _close(self) -> None:
        self._outbox.flush()
        self._transport.close()

    def abort(self) -> None:
        """Go now."""
        self._transport.abort()


_TAKES: dict[int, Callable[[Connection, int, int, bytes], None]] = {
    Kind.DATA: Connection._take_data,
    Kind.HEADERS: Connection._take_headers,
    Kind.PRIORITY: Connection._take_priority,
    Kind.RST_STREAM: Connection._take_reset,
    Kind.SETTINGS: Connection._take_settings,
    Kind.PUSH_PROMISE: Connection._take_push,
    Kind.PING: Connection._take_ping,
    Kind.GOAWAY: Connection._take_goaway,
    Kind.WINDOW_UPDATE: Connection._take_window,
}
