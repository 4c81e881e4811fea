"""One start of the operator after another: which connections are of the living one, and how it is killed.

Positions are exact only if nothing of a dead operator gets through any more: neither what it had sent before it died,
nor what it had on its way. So each connection belongs to one life, and none is taken for the next life's before the
dead process is known to be gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

LAST_WORDS_SECONDS = 0.01
"""For so long after the end of a process, what comes in is still of that process: the kernel has it already."""

LOOK_SECONDS = 0.002

LINGER_NOT = struct.pack("ii", 1, 0)
"""Makes the end of a connection a reset."""


@dataclass(eq=False, slots=True)
class Life:
    """One start of the operator."""

    number: int
    pid: int
    over: bool = False


class Lives:
    """The lives of one operator in one run."""

    def __init__(self) -> None:
        self.died = asyncio.Event()
        self._life = Life(0, 0, over=True)
        self._dying = False
        self._born = asyncio.Event()
        self._admitted: set[RequestHandler] = set()
        self._server: web.Server | None = None
        self._burial: asyncio.Task[None] | None = None

    def watch(self, server: web.Server) -> None:
        """Take the server whose connections are spoken of."""
        self._server = server

    def begin(self) -> None:
        """Forget what was, for a new run."""
        self._end(self._all())
        self._life = Life(0, 0, over=True)
        self._dying = False
        self.died.clear()

    def born(self, pid: int) -> None:
        """Let a new process in, and none of the old one's connections."""
        self._end(self._admitted)
        self._life = Life(self._life.number + 1, pid)
        self._dying = False
        self.died.clear()
        self._born.set()

    async def admit(self, connection: RequestHandler) -> Life | None:
        """Return the life that a connection belongs to, waiting for its birth; none if that is over."""
        if connection not in self._admitted:
            if self._dying:
                return None
            if not self._life.over and not _runs(self._life.pid):
                self._end(self._admitted)  # it ended by itself, and this is its successor
            await self._born.wait()
            if connection.transport is None or connection.transport.is_closing():
                return None
            self._admitted.add(connection)
        return self._life

    async def kill(self, life: Life) -> bool:
        """End the operator as a node that fails would; `died` is set when it is gone. Tell whether it was alive."""
        if life.over:
            return False
        life.over = True  # from here on nothing of it gets through
        self._dying = True
        await asyncio.sleep(0)  # an answer that was written may still lie with the event loop
        _signal(life, signal.SIGKILL)
        self._end(self._all())
        self._burial = asyncio.create_task(self._bury(life), name="burial")
        return True

    async def pause(self, seconds: float) -> None:
        """Stop the operator where it stands, for a while."""
        life = self._life
        _signal(life, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if not life.over:
                _signal(life, signal.SIGCONT)

    def _all(self) -> list[RequestHandler]:
        return [] if self._server is None else self._server.connections

    async def _bury(self, life: Life) -> None:
        while _runs(life.pid):  # noqa: ASYNC110 the kernel has no event for a process that is not our child
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(LAST_WORDS_SECONDS)
        self._dying = False
        self.died.set()

    def _end(self, connections: Iterable[RequestHandler]) -> None:
        self._life.over = True
        self._born.clear()
        if self._burial is not None:
            self._burial.cancel()
        for connection in list(connections):
            if connection.transport is not None:
                connection.transport.abort()
        self._admitted.clear()


def dropped(request: web.BaseRequest, *, hard: bool = False) -> web.StreamResponse:
    """Drop a request's connection without a word, by a reset if it is to be hard; return what nobody hears."""
    transport = request.transport
    if transport is not None:
        if hard:
            ours = transport.get_extra_info("socket")
            if ours is not None:  # it may be closing by itself
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        transport.abort()
    return web.Response()


def _signal(life: Life, number: signal.Signals) -> None:
    if life.pid:
        with suppress(ProcessLookupError):
            os.kill(life.pid, number)


def _runs(pid: int) -> bool:
    """Tell whether a process has anything left of it that could speak."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return False
    return state not in {"Z", "X"} or threads > 1
