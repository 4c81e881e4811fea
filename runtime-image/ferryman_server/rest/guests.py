"""Requests for a model that reads them for itself, handed over as they came."""

from ferryman_server.dataplane.guest import Asked
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.rest.message import Request, Response

PROTOCOLS = frozenset({"v1", "v2"})
"""KServe's own; MLflow's path asks a guest with rows, as it asks every model."""


async def answer(protocol: str, request: Request, plane: DataPlane, version: str) -> Response:
    """What it says, with its own headers."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    told = await plane.ask(Asked(protocol, request.body, headers, version))
    return Response(200, told.body, told.content_type, told.headers)
