"""A worker's clients of the gRPC port."""

import asyncio

from ferryman_server.grpc_api.server import Calls
from ferryman_server.http2.connection import Connection
from ferryman_server.http2.server import Server
from ferryman_server.metrics import Metrics
from ferryman_server.serving import Serving


class Callers:
    """The gRPC server without a port (doors.Calls, http2.connection.Crowd)."""

    def __init__(self, serving: Serving, measures: Metrics) -> None:
        self._calls = Calls(serving, measures)
        self._server = Server(self._calls, serving.settings.max_connections)
        self._staying: dict[Connection, None] = {}

    def connection(self) -> asyncio.Protocol:
        """For a client that has come."""
        return Connection(self._calls, self)

    def came(self, connection: Connection) -> None:
        """One more."""
        self._staying[connection] = None
        self._server.came(connection)

    def went(self, connection: Connection) -> None:
        """One less."""
        self._staying.pop(connection, None)
        self._server.went(connection)

    def count(self) -> int:
        """How many have not been asked to go."""
        return len(self._staying)

    def part(self, count: int) -> None:
        """Ask so many to open another connection, which another worker may get; their calls are finished here."""
        for connection in list(self._staying)[:count]:
            del self._staying[connection]
            connection.leave()

    async def stop(self, grace: float) -> None:
        """Let those that are there end their calls."""
        await self._server.stop(grace)
