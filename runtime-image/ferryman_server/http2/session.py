"""What each frame of one client means: requests that come, answers that go, and what is agreed on beside them.

Nothing here waits or knows a socket: frames come in by `take`, and what they cause goes to the outbox.
"""

from collections.abc import Callable
from typing import Protocol

from ferryman_server.http2 import frames
from ferryman_server.http2.fields import Reader
from ferryman_server.http2.frames import Code, ConnectionFaultError, Kind, Setting, StreamFaultError
from ferryman_server.http2.inbox import Frame
from ferryman_server.http2.outbox import Outbox
from ferryman_server.http2.stream import Stream
from ferryman_server.http2.streams import Streams

_CREDIT = 1 << 20
"""How much is taken of the connection's window before it is given back."""
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

    def settle(self) -> None:
        """Answer now what would be answered before the event loop waits again."""


class Session:
    """One client's frames."""

    def __init__(self, service: Service, outbox: Outbox, over: Callable[[], None]) -> None:
        """`over` is called when the client has heard that it shall go, and nothing of it is left."""
        self.streams = Streams(service.most_bytes)
        self.told = False
        """Whether the client's settings have come, which must be the first frame."""
        self._service = service
        self._outbox = outbox
        self._over = over
        self._fields = Reader()
        self._taken = 0
        self._leaving = False

    def take(self, frame: Frame) -> None:
        """Do what a frame says; a fault of its stream ends that, a `ConnectionFaultError` has to end everything."""
        kind, flags, number, payload = frame
        if not self.told and (kind != Kind.SETTINGS or flags & frames.ACK):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings come first")
        try:
            take = _TAKES.get(kind)
            if take is not None:  # unknown kinds are for extensions, and ignored
                take(self, flags, number, payload)
        except StreamFaultError as fault:
            stream = self.streams.forget(fault.stream, forgiven=True)
            self._outbox.write(frames.reset(fault.stream, fault.code))
            if stream is not None and stream.gone is not None:
                stream.gone()
            self._left()
            if fault.code != Code.REFUSED_STREAM:  # which it may not have known, and which costs nothing here
                self.streams.count_reset()

    # --- requests ---

    def _take_headers(self, flags: int, number: int, block: bytes) -> None:
        if not number % 2:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "clients' streams have odd numbers")
        ends = bool(flags & frames.END_STREAM)
        if number <= self.streams.last:
            self._take_trailers(number, block, ends=ends)
            return
        self.streams.last = number
        fields = self._fields.request(number, block)
        if self._leaving:
            raise StreamFaultError(number, Code.REFUSED_STREAM)
        stream = Stream(self, number, fields, self._outbox.stream_window)
        self.streams.open(stream)
        if ends:
            self._whole(stream)

    def _take_trailers(self, number: int, block: bytes, *, ends: bool) -> None:
        self._fields.trailers(block)
        stream = self.streams.get(number)
        if self.streams.was_dropped(number):
            return
        if stream is None or stream.whole:
            raise ConnectionFaultError(Code.STREAM_CLOSED, "header fields on a stream that has ended")
        if not ends:
            raise StreamFaultError(number, Code.PROTOCOL_ERROR)
        self._whole(stream)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        self._credit(len(payload))
        stream = self.streams.get(number)
        if stream is None or stream.whole:
            self.streams.check_opened(number, "data")
            if self.streams.was_dropped(number):
                return
            raise StreamFaultError(number, Code.STREAM_CLOSED)
        data = frames.content(flags & ~frames.PRIORITISED, payload)
        stream.left -= len(data)
        if not stream.parts and flags & frames.END_STREAM and len(data) <= self.streams.most_bytes:
            stream.body = data
        elif not self.streams.grow(stream, data):
            self._service.too_large(stream)
            return
        if flags & frames.END_STREAM:
            self._whole(stream)

    def _whole(self, stream: Stream) -> None:
        self.streams.complete(stream)
        self._service.whole(stream)

    def _credit(self, size: int) -> None:
        """What has come no longer counts against the connection: the bytes that are held are counted elsewhere."""
        self._taken += size
        if self._taken >= _CREDIT:
            self._outbox.write(frames.window_update(0, self._taken))
            self._taken = 0

    # --- the other frames ---

    def _take_priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection has no priority")
        if len(payload) != 5:
            raise StreamFaultError(number, Code.FRAME_SIZE_ERROR)

    def _take_reset(self, _flags: int, number: int, payload: bytes) -> None:
        frames.number(payload)
        self.streams.check_opened(number, "a reset")
        stream = self.streams.forget(number)
        if stream is None:
            return
        if stream.gone is not None:
            stream.gone()
        self.streams.count_reset()

    def _take_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings are the connection's")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "an acknowledgement says nothing")
            return
        self.told = True
        for name, value in dict(frames.pairs(payload)).items():  # the last counts: each window costs every stream
            if name == Setting.INITIAL_WINDOW_SIZE:
                self._outbox.resize(value, self.streams.all())
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
            self._outbox.write(frames.goaway(self.streams.last, Code.NO_ERROR))
            self._left()

    def _take_goaway(self, _flags: int, number: int, _payload: bytes) -> None:
        if number:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "the connection goes, not a stream")

    def _take_window(self, _flags: int, number: int, payload: bytes) -> None:
        more = frames.number(payload)
        if number == 0:
            self._outbox.widen(more)
        else:
            self.streams.check_opened(number, "a window")
            if not more:
                raise StreamFaultError(number, Code.PROTOCOL_ERROR)
            stream = self.streams.get(number)
            if stream is not None:
                self._outbox.widen_one(stream, more)
        self._go_on()

    # --- answers ---

    def answer(self, stream: Stream, head: bytes, body: bytes, trailers: bytes) -> None:
        """Write as much of an answer as the client takes; the rest when it takes more."""
        if stream in self.streams:
            self.streams.count_answer()
            if self._outbox.answer(stream, head, body, trailers):
                self.streams.close(stream)
                self._left()

    def refuse(self, stream: Stream, head: bytes) -> None:
        """Answer with fields alone; what is still to come of the request is not waited for."""
        if self.streams.forget(stream.number, forgiven=not stream.whole) is None:
            return
        self._outbox.refuse(stream, head)
        if not stream.whole:
            self._outbox.write(frames.reset(stream.number, Code.NO_ERROR))
        self._left()

    def give_up(self, stream: Stream) -> None:
        """Wait no more for what the client has to do about a stream: to send the rest, or to take the answer."""
        if not stream.whole:
            self._service.too_slow(stream)
        elif self.streams.forget(stream.number) is not None:
            self._outbox.write(frames.reset(stream.number, Code.CANCEL))
            self._left()

    def _go_on(self) -> None:
        for stream in [one for one in self.streams.all() if one.rest]:
            left = len(stream.rest)
            if self._outbox.go_on(stream):
                self.streams.close(stream)
            elif len(stream.rest) < left:
                stream.waited = 0
        self._left()

    # --- the end ---

    def leave(self) -> None:
        """Ask the client to open no stream any more; it is over when it has heard, and all its streams have ended."""
        told = frames.goaway(frames.MOST_WINDOW, Code.NO_ERROR)
        self._outbox.write(told + frames.frame(Kind.PING, 0, 0, _LEAVING))

    def _left(self) -> None:
        if self._leaving and not self.streams:
            self._over()


_TAKES: dict[int, Callable[[Session, int, int, bytes], None]] = {
    Kind.DATA: Session._take_data,
    Kind.HEADERS: Session._take_headers,
    Kind.PRIORITY: Session._take_priority,
    Kind.RST_STREAM: Session._take_reset,
    Kind.SETTINGS: Session._take_settings,
    Kind.PUSH_PROMISE: Session._take_push,
    Kind.PING: Session._take_ping,
    Kind.GOAWAY: Session._take_goaway,
    Kind.WINDOW_UPDATE: Session._take_window,
}
