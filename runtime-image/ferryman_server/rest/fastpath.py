"""The fast path of HTTP/1.1: what came in one piece and can be answered at once is answered while it is read.

Uvicorn begins with a request when its head is here: a scope, a cycle, an event, a task, and two messages for the
answer. Half of a small prediction's time would be theirs. So the beginning is put off until the piece that came has
been read. If the request is whole by then, the application is asked for its bytes; if it has none, or the request
is not whole, it begins as uvicorn has it, and nobody can tell the difference.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ferryman_server.crowd import Crowd
from ferryman_server.rest import http1
from ferryman_server.rest.predictions import Route

_MOST = 16
"""Answers for one piece: who sends many requests in one must not hold up the others."""
_ANSWERED = cast(Any, {"path": ""})
"""The scope of a request that needed none: its head is whole."""


class Application(Protocol):
    """Who may have an answer at once."""

    targets: Mapping[bytes, Route]
    crowd: Crowd

    def at_once(
        self, route: Route, headers: dict[bytes, bytes], body: bytes, asker: "FastPath"
    ) -> Mapping[str, object] | None:
        """Answer before the event loop waits again; else return what the scope is to have besides."""

    def settle(self) -> None:
        """Answer now whoever waits for the end of this turn of the event loop."""


class FastPath(http1.Protocol):
    """One client's connection."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._application = cast(Application, self.app)
        self._targets: Mapping[bytes, Route] = getattr(self.app, "targets", {})  # some only speak ASGI
        self._crowd: Crowd | None = getattr(self.app, "crowd", None)
        self._left = _MOST
        self._route: Route | None = None  # of the request whose beginning is put off
        self._fields: list[tuple[bytes, bytes]] = []
        self._named: dict[bytes, bytes] = {}
        self._piece = b""
        self._promised = False  # an answer, before the event loop waits again

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more."""
        super().connection_made(transport)
        if self._crowd is not None:
            self._crowd.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """One less."""
        super().connection_lost(exc)
        if self._crowd is not None:
            self._crowd.went(self)

    def on_message_begin(self) -> None:
        """Uvicorn would make the scope here."""
        self._settle()
        self.url, self.headers, self.scope, self.expect_100_continue = b"", [], cast(Any, {}), False

    def on_headers_complete(self) -> None:
        """Put the beginning off, if there is hope."""
        self._fields = self.headers
        route = self._targets.get(self.url)
        if route is None or not self._hopeful():
            self._begin()
            return
        self._left -= 1  # until the piece has been read
        self._route, self._piece, self.cycle = route, b"", http1.NONE
        self.headers = []  # what comes after the body is none of its headers

    def on_body(self, body: bytes) -> None:
        """Keep the first piece."""
        if self._route is not None:
            if not self._piece:
                self._piece = body
                return
            self._begin_late()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer, or begin."""
        route = self._route
        if route is not None:
            self._route, self.scope, self._promised = None, _ANSWERED, True
            more = self._application.at_once(route, self._named, self._piece, self)
            if more is None:
                return
            self._promised = False
            self._begin_late()
            cast(dict[str, object], self.scope).update(more)
        super().on_message_complete()

    def answer(self, whole: bytes) -> None:
        """Write an answer, unless the client has gone."""
        self._promised = False
        if not self.transport.is_closing():
            self.transport.write(whole)
            self.on_response_complete()

    # --- what may not happen between a promise and its answer ---

    def _settle(self) -> None:
        if self._promised:
            self._application.settle()

    def eof_received(self) -> None:
        """A client that says no more may still listen."""
        self._settle()

    def shutdown(self) -> None:
        """What was promised is answered first."""
        self._settle()
        super().shutdown()

    def _refuse(self, status: int, told: str, more: bytes = b"") -> None:
        self._settle()
        super()._refuse(status, told, more)

    def _all_answered(self) -> bool:
        return not self._promised and super()._all_answered()

    # --- whether there is hope ---

    def _hopeful(self) -> bool:
        parser, named = self.parser, dict(self._fields)
        self._named = named
        return bool(
            parser.get_method() == b"POST"
            and self._left
            and self.cycle.response_complete
            and not self.pipeline
            and not self.flow.write_paused
            and b"expect" not in named
            and b"content-encoding" not in named
            and parser.should_keep_alive()
            # without a word on the connection that can only be HTTP/1.1, and nothing to upgrade to
            and (b"connection" not in named or (parser.get_http_version() == "1.1" and not parser.should_upgrade()))
        )

    def _piece_read(self) -> None:
        """What is not whole by now has to be waited for."""
        self._left = _MOST
        if self._route is not None:
            self._begin_late()

    def _begin_late(self) -> None:
        self._route, self.expect_100_continue = None, False  # as its head said, whatever came after its body
        self._begin()
        if self._piece:
            super().on_body(self._piece)

    def _begin(self) -> None:
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += self._fields
        super().on_headers_complete()
