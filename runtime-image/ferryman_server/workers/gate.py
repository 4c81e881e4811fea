"""Where a pod's connections come in: each goes to the worker with the fewest, and moves when they become uneven."""

import asyncio
import contextlib
import errno
import socket
from collections import deque
from collections.abc import Mapping

from ferryman_server import listen, log
from ferryman_server import settings as contract
from ferryman_server.workers import crew, dealing
from ferryman_server.workers.channel import Kind
from ferryman_server.workers.crew import Given, Phase, Worker

_SHORT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_MOMENT = 1.0
"""Seconds, as asyncio waits."""


class Gate:
    """The parent's ports."""

    short = 0
    """How often there were no files, or no memory, for another connection."""

    closing = False
    """Connections that nobody could take will not be followed by others."""

    def __init__(self, settings: contract.Settings, workers: Mapping[int, Worker]) -> None:
        self._settings = settings
        self._workers = workers
        self._held: deque[Given] = deque()
        self._listeners: dict[Kind, socket.socket] = {}
        self._listening = False

    def open(self) -> None:
        """Take the ports; `FatalError` if one is taken."""
        self._listeners[Kind.REST] = listen.rest(self._settings)
        if self._settings.grpc_port:
            self._listeners[Kind.GRPC] = listen.grpc(self._settings)
        for listener in self._listeners.values():
            listener.setblocking(False)

    def listen(self, *, now: bool) -> None:
        """Accept what comes, or let it wait."""
        if now == self._listening:
            return
        self._listening = now
        loop = asyncio.get_running_loop()
        for kind, listener in self._listeners.items():
            if now:
                loop.add_reader(listener, self._accept, kind, listener)
            else:
                loop.remove_reader(listener)

    def _accept(self, kind: Kind, listener: socket.socket) -> None:
        """One at a time: between two of them others may be heard."""
        try:
            connection, _ = listener.accept()
        except OSError as error:
            if error.errno in _SHORT_OF:  # it still stands before the door, so that the loop would turn at once
                self._rest(error)
            return  # else it has gone already
        self.deal(Given(kind, connection))

    def _rest(self, error: OSError) -> None:
        """Accept nobody for a moment: somebody may leave meanwhile."""
        self.short += 1
        if self.short == 1:
            log.line(f"Connections wait to be accepted: {error.strerror}; raise the limit of open files")
        self.listen(now=False)
        asyncio.get_running_loop().call_later(_MOMENT, self._go_on)

    def _go_on(self) -> None:
        if not self._held and not self.closing:
            self.listen(now=True)

    def deal(self, given: Given) -> None:
        """To the worker with the fewest; held where none takes any, and then no more are accepted."""
        able = crew.of(self._workers, Phase.READY) or crew.of(self._workers, Phase.STARTING)
        here = {worker.row: worker.connections(given.kind) for worker in able}
        everywhere = {worker.row: sum(worker.connections(one) for one in self._listeners) for worker in able}
        while here:
            row = dealing.chosen(here, everywhere)
            if self._workers[row].give(given):
                return
            del here[row]
        self._held.append(given)
        self.listen(now=False)

    def deal_held(self) -> None:
        """Try again with those that nobody took."""
        if not self._held:
            return
        for _ in range(len(self._held)):
            self.deal(self._held.popleft())
        if not self._held and not self.closing:
            self.listen(now=True)

    def even_out(self) -> None:
        """Of each port by itself: eight connections of the one do not make up for one of the other."""
        for kind in self._listeners:
            serving = crew.of(self._workers, Phase.READY)
            surplus = dealing.surplus({worker.row: worker.connections(kind) for worker in serving})
            if surplus:
                row, count = surplus
                self._workers[row].part(kind, count)

    def close(self) -> None:
        """Take in who stands before the ports, and nobody after them."""
        self.listen(now=False)
        for kind, listener in self._listeners.items():
            with contextlib.suppress(OSError):
                while True:
                    self.deal(Given(kind, listener.accept()[0]))
            listener.close()
