"""How connections come in: by ports of this process' own, or through somebody who has them."""

import socket
from typing import Protocol

import uvicorn

from ferryman_server import listen
from ferryman_server import settings as contract
from ferryman_server.metrics import Metrics
from ferryman_server.serving import Serving


class Calls(Protocol):
    """What life needs of the gRPC server."""

    async def stop(self, grace: float) -> None:
        """Take no new calls, and finish the others within `grace` seconds."""


class Doors(Protocol):
    """Bound first, then opened, then closed."""

    def bind(self) -> list[socket.socket]:
        """The sockets of the REST port, before anything slow, so that a taken port is said at once."""

    async def open(self, rest: uvicorn.Server, serving: Serving, measures: Metrics) -> Calls | None:
        """Let them in; the gRPC server, where there is one."""

    def close(self) -> None:
        """Let nobody in any more."""


class Ports:
    """This process listens itself."""

    def __init__(self, settings: contract.Settings) -> None:
        self._settings = settings
        self._rest: uvicorn.Server | None = None

    def bind(self) -> list[socket.socket]:
        """The REST port; `FatalError` if it is taken."""
        return [listen.rest(self._settings)]

    async def open(self, rest: uvicorn.Server, serving: Serving, measures: Metrics) -> Calls | None:
        """gRPC, where it is wanted: who does not want it does not pay for its import."""
        self._rest = rest
        if not self._settings.grpc_port:
            return None
        from ferryman_server.grpc_api import server  # noqa: PLC0415 - as said

        calls: Calls = await server.start(serving, measures)
        return calls

    def close(self) -> None:
        """No new ones; uvicorn itself would close it only together with all else."""
        for door in getattr(self._rest, "servers", ()):
            door.close()
