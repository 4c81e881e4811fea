"""A worker's doors: connections come from the parent, and some go back to it.

A connection over HTTP/1.1 is given back between two requests, as it is: its client does not notice. One over HTTP/2
cannot be, because both ends remember what was said; its client is asked to open another.
"""

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from ferryman_server.doors import Calls
from ferryman_server.metrics import Metrics
from ferryman_server.rest import fastpath
from ferryman_server.serving import Serving
from ferryman_server.workers.board import Cell
from ferryman_server.workers.channel import USED, Channel, Kind, Message

if TYPE_CHECKING:
    from ferryman_server.workers.callers import Callers

_TICK = 0.2
_PATIENCE = 1.0
"""Seconds for which a wish to part holds; the parent looks again then."""


class Handed:
    """All connections of one worker (doors.Doors)."""

    def __init__(self, channel: Channel, row: "memoryview[float]") -> None:
        self._channel = channel
        self._row = row
        self._came = {Kind.REST: 0, Kind.GRPC: 0}
        self._arriving: set[asyncio.Task[None]] = set()
        self._surplus = 0
        self._guests: set[Guest] = set()
        self._callers: Callers | None = None
        self._until = 0.0

    def bind(self) -> list[socket.socket]:
        """The parent listens."""
        return []

    async def open(self, rest: uvicorn.Server, serving: Serving, measures: Metrics) -> Calls | None:
        """Begin to take what has been given."""
        self._loop = asyncio.get_running_loop()
        self._rest = rest
        if not rest.config.loaded:
            rest.config.load()
        calls = None
        if serving.settings.grpc_port:
            from ferryman_server.workers import callers  # noqa: PLC0415 - who does not want gRPC does not pay for it

            self._callers = calls = callers.Callers(serving, measures)
        self._channel.nonblocking()
        self._loop.add_reader(self._channel.fileno(), self._hear)
        self._tick()
        return calls

    def close(self) -> None:
        """The parent gives no more when it says so; what it gave last is still taken."""

    def _tick(self) -> None:
        row = self._row
        row[Cell.REST_OPEN], row[Cell.REST_CAME] = len(self._rest.server_state.connections), self._came[Kind.REST]
        row[Cell.GRPC_OPEN] = self._callers.count() if self._callers else 0
        row[Cell.GRPC_CAME] = self._came[Kind.GRPC]
        row[Cell.BEAT] = time.monotonic()
        self._loop.call_later(_TICK, self._tick)

    # --- from the parent ---

    def _hear(self) -> None:
        try:
            while True:
                message = self._channel.receive()
                if message is None:  # the parent has ended, and the kernel is about to end this process
                    self._loop.remove_reader(self._channel.fileno())
                    return
                self._obey(message)
        except BlockingIOError:
            return

    def _obey(self, message: Message) -> None:
        match message.kind:
            case Kind.REST | Kind.GRPC:
                self._came[message.kind] += 1
                self._channel.send(Message(Kind.TAKEN))
                task = self._loop.create_task(self._arrive(message, socket.socket(fileno=message.descriptor)))
                self._arriving.add(task)
                task.add_done_callback(self._arriving.discard)
            case Kind.PART_REST:
                self._surplus, self._until = int(message.body), time.monotonic() + _PATIENCE
                for guest in list(self._guests):
                    self.part(guest)
            case Kind.PART_GRPC if self._callers:
                self._callers.part(int(message.body))
            case _:
                pass

    async def _arrive(self, message: Message, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            if message.kind is Kind.GRPC:
                assert self._callers is not None
                await self._loop.connect_accepted_socket(self._callers.connection, connection)
            else:
                await self._loop.connect_accepted_socket(lambda: self._guest(used=message.body == USED), connection)
        except OSError:  # its client has gone
            connection.close()

    def _guest(self, *, used: bool) -> "Guest":
        config, state = self._rest.config, self._rest.server_state
        return Guest(self, used=used, config=config, server_state=state, app_state={}, _loop=self._loop)

    # --- to the parent ---

    def came(self, guest: "Guest") -> None:
        """One more."""
        self._guests.add(guest)

    def went(self, guest: "Guest") -> None:
        """One less."""
        self._guests.discard(guest)

    def answered(self, guest: "Guest") -> None:
        """Perhaps it is between two requests as soon as its answer has left."""
        if self._surplus > 0:
            self._loop.call_soon(self.part, guest)

    def part(self, guest: "Guest") -> None:
        """Give this one back, if there are too many and it can be."""
        if self._surplus <= 0 or not guest.rests():
            return
        if time.monotonic() > self._until:
            self._surplus = 0
            return
        descriptor = guest.transport.get_extra_info("socket").fileno()
        if self._channel.send(Message(Kind.REST, USED if guest.used else b"", descriptor)):
            self._surplus -= 1
            guest.transport.close()


class Guest(fastpath.FastPath):
    """A client of the REST port."""

    def __init__(self, house: Handed, *, used: bool, **given: Any) -> None:
        super().__init__(**given)
        self._house = house
        if used:  # and rests, for as long as others do
            self._used = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's own entrance."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._house.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's own exit."""
        super().connection_lost(exc)
        self._house.went(self)

    def on_response_complete(self) -> None:
        """An answer has been written."""
        super().on_response_complete()
        self._house.answered(self)

    @property
    def used(self) -> bool:
        """Whether its client has ever said anything."""
        return bool(self._used)
