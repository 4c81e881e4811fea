"""A listening port of connections, and its end: clients are asked to go before they are made to."""

import asyncio
import socket

from ferryman_server.crowd import Crowd
from ferryman_server.http2 import patience
from ferryman_server.http2.connection import Connection
from ferryman_server.http2.session import Service


class Server:
    """One port."""

    def __init__(self, service: Service, most: int = 4096) -> None:
        self._service = service
        self._connections: set[Connection] = set()
        self._crowd = Crowd(most)
        self._empty = asyncio.Event()
        self._doors: asyncio.Server | None = None
        self._clock = patience.Clock(lambda: self._connections)

    def came(self, connection: Connection) -> None:
        """One more connection."""
        self._connections.add(connection)
        self._clock.start()
        self._crowd.came(connection)

    def went(self, connection: Connection) -> None:
        """One less."""
        self._connections.discard(connection)
        self._crowd.went(connection)
        self._empty.set()

    async def listen(self, listener: socket.socket) -> None:
        """Take connections from a socket that is bound already."""
        loop = asyncio.get_running_loop()
        self._doors = await loop.create_server(lambda: Connection(self._service, self), sock=listener, backlog=1024)

    async def stop(self, seconds: float | None) -> None:
        """Take no connection any more; let those that are there end their requests, for so long."""
        if self._doors is not None:
            self._doors.close()
        for connection in list(self._connections):
            connection.leave()
        try:
            async with asyncio.timeout(seconds or 0):
                while self._connections:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()
