"""HTTP/1.1 as uvicorn and httptools read it, with four doors closed that they leave open.

An upgrade, of which there is none here: they drop the request's body, or take it for the next request of whoever
shares the connection. Fields after a chunked body: they pass for the request's headers. A head, or such fields,
without an end: they are kept. A client that says nothing, or stops in the middle: it is waited for. What cannot be
read is refused in JSON, and never before the answers to what came whole before it. A request in one piece pays a few
comparisons.

And one thing is done more cheaply: a connection that rests has one timer, not one for each time that it rests.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.protocols.http import httptools_impl

from ferryman_server.rest import message
from ferryman_server.rest.message import Receive, Scope, Send

MOST_HEAD = 64 * 1024
"""Bytes of a head, or of the fields after a body, besides the piece in which it began."""
MOST_IGNORED = 8 * 1024 * 1024
"""Bytes of a body that are read after its answer, so that the connection can be used again."""
_begin = httptools_impl.HttpToolsProtocol.on_headers_complete  # `super()` would cost each request a tenth of a µs
_OF_UPGRADES = frozenset({b"upgrade", b"http2-settings"})


class _None:
    """Stands for a request where there is none: before the first, and while a parser ends what it misunderstood."""

    response_complete, more_body, body = True, False, b""
    message_event = asyncio.Event()


NONE = cast(httptools_impl.RequestResponseCycle, _None())


class Protocol(httptools_impl.HttpToolsProtocol):
    """One client's connection."""

    silence = 60.0
    """Seconds for which a client may say nothing before its first request, or of one that it has begun; and in which
    the fields of one must come."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.cycle, self.scope = NONE, cast(Any, {})
        self._coming: object = None  # the head (its scope) or the body (its cycle) that is not whole
        self._fruitless = 0  # bytes that came for it and are no part of a body
        self._heard = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._used = 0.0  # when something came, or an answer was written
        self._before_upgrade = self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first byte, and not for ever."""
        super().connection_made(transport)
        self._made = self.loop.time()
        self._rest(min(self.silence, self.timeout_keep_alive))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._came()
        super()._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Uvicorn's own, and a look at what is not whole afterwards."""
        self._used = self.loop.time()
        before = self.cycle
        held = len(before.body) if before.more_body else 0
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                self._read_on(memoryview(data), stopped.args[0])
        except httptools.HttpParserError as error:
            self._piece_read()
            self._refuse(400, f"The request is not valid HTTP/1.1: {_reason(error)}.")
            return
        self._piece_read()
        now = self.cycle
        if now.more_body or "path" not in self.scope:
            self._wait(len(data), grew=now is before and len(now.body) > held)
        elif self._coming is not None:
            self._came()

    def _piece_read(self) -> None:
        """For those who put something off until there is nothing more to read."""

    def on_headers_complete(self) -> None:
        """Begin with the request. What comes after its body is none of its headers."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")
            self._before_upgrade, self.cycle = self.cycle, NONE
            return
        _begin(self)
        self.headers = []

    # --- between two requests ---

    def on_response_complete(self) -> None:
        """Go on with the next request if it is here, else rest."""
        if self.transport.is_closing():
            return
        self._used = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.timeout_keep_alive_task is None:
            self._rest(self.timeout_keep_alive)

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """Uvicorn's way would be a timer for each request."""

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has rested for long; otherwise look again when it could have."""
        if not self._used:  # a client that never said anything needs no word, either
            self.transport.close()
            return
        busy = not self.cycle.response_complete or self._coming is not None
        left = self.timeout_keep_alive - (0.0 if busy else self.loop.time() - self._used)
        if left > 0:
            self._rest(left)
        else:
            self.transport.close()

    def rests(self) -> bool:
        """Whether nothing is on its way here: every request whole and answered, every answer sent."""
        return self._coming is None and self._all_answered()

    def _all_answered(self) -> bool:
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return False
        last = self.cycle  # those before it are answered before it
        return last.response_complete and not last.more_body

    @property
    def rested(self) -> float | None:
        """For how many seconds it has (crowd.Member); half a head is no work yet."""
        rests = self._all_answered() and (self._coming is None or "path" not in self.scope)
        return self.loop.time() - (self._used or self._made) if rests else None

    def go(self) -> None:
        """A client that rests looks whether it is still connected before it asks again."""
        self.transport.close()

    def turn_away(self) -> None:
        """Say so."""
        told = "This server has as many connections as it may; try again later, or use fewer."
        self._refuse(503, told, b"retry-after: 1\r\n")

    # --- upgrades ---

    def _read_on(self, data: memoryview, at: int) -> None:
        """Read a request that wants an upgrade as one that wants none, by a parser that never heard of it."""
        while True:
            head, self.cycle = self._without_upgrade(), self._before_upgrade
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            self.parser.feed_data(head)
            data = data[at:]
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:  # and the next one, too
                at = stopped.args[0]
            else:
                return

    def _without_upgrade(self) -> bytes:
        lines = [b" ".join((self.parser.get_method(), self.url, b"HTTP/" + self.parser.get_http_version().encode()))]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token for token in value.split(b",") if token.strip().lower() not in _OF_UPGRADES]
                lines += [name + b": " + b",".join(kept)] if kept else []
            elif name not in _OF_UPGRADES:
                lines.append(name + b": " + value)
        return b"\r\n".join((*lines, b"", b""))

    # --- what is not whole ---

    def _came(self) -> None:
        self._coming, self._fruitless = None, 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _wait(self, size: int, *, grew: bool) -> None:
        in_body = "path" in self.scope
        coming = self.cycle if in_body else self.scope
        if grew or coming is not self._coming:
            self._coming, self._fruitless, self._heard = coming, 0, self.loop.time()
        else:
            self._fruitless += size
            answered = in_body and self.cycle.response_complete
            if self._fruitless > (MOST_IGNORED if answered else MOST_HEAD):
                self._refuse(431, f"The fields of a request may have {MOST_HEAD} bytes, and these have more.")
                return
            if answered:
                self._heard = self.loop.time()
        if self._patience is None:
            self._patience = self.loop.call_later(self.silence, self._lose_patience)

    def _lose_patience(self) -> None:
        left = self._heard + self.silence - self.loop.time()
        if self.flow.read_paused:  # it is us who do not read
            left = self.silence
        if left > 0:
            self._patience = self.loop.call_later(left, self._lose_patience)
            return
        self._patience = None
        if self._fruitless:
            self._refuse(408, f"The fields of a request must come within {self.silence:g} s, and these did not.")
        else:
            self._refuse(408, f"Nothing came for {self.silence:g} s, and the request is not whole.")

    # --- refusals ---

    def _refuse(self, status: int, told: str, more: bytes = b"") -> None:
        """Tell who sent this, after the answers to what came whole before it, and close the connection."""
        cycle = self.cycle
        if cycle.more_body and "path" in self.scope:  # its own body cannot be read
            if self.pipeline and self.pipeline[0][0] is cycle:  # others are answered first
                cycle.keep_alive, cycle.more_body = False, False
                self.pipeline[0] = (cycle, cast(Any, _Refusal(status, told)))
                return
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        elif not cycle.response_complete:
            cycle.keep_alive = False
            return
        body = message.error(status, told).body
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s"
            % (status, HTTPStatus(status).phrase.encode(), len(body), more, body)
        )
        self.transport.close()


class _Refusal:
    """An application that says one thing."""

    def __init__(self, status: int, told: str) -> None:
        self._response = message.error(status, told)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        body = self._response.body
        headers = [(b"content-type", message.JSON), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": self._response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _reason(error: httptools.HttpParserError) -> str:
    if isinstance(error, httptools.HttpParserCallbackError):  # uvicorn could not make a path of it
        return "its target is nothing that can be asked for here"
    return str(error) or type(error).__name__
