"""The application around a model, in this process: real model, real thread, no socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
from server import process

from ferryman_server import metrics, settings
from ferryman_server.dataplane import batch, plane, waiting, worker
from ferryman_server.dataplane.model import Model
from ferryman_server.load import run as loading
from ferryman_server.rest import app
from ferryman_server.serving import Phase, Serving

SETTINGS = settings.Settings(
    "iris", "7", "iris-0a1b2c3d", allow_pickle=True, optimize=False, termination_log=Path("/dev/null")
)


def load(root: Path, **more: object) -> Model:
    """A directory, opened as the server opens it."""
    return loading.load(replace(SETTINGS, model_dir=root, **more), threads=1).model  # type: ignore[arg-type]


def serve(model: Model, **more: object) -> tuple[Serving, metrics.Metrics]:
    """A ready server with this model, as the protocols see it."""
    contract = replace(SETTINGS, **more)  # type: ignore[arg-type]
    measures = metrics.Metrics(metrics.Identity("iris", "7", "iris-0a1b2c3d"))
    bounds = waiting.Bounds(
        rows=contract.max_rows, queue_bytes=contract.max_queue_bytes, queue_seconds=contract.max_queue_seconds
    )
    thread = worker.Worker(asyncio.get_running_loop())
    batcher = batch.Batcher(
        model.predict, thread, measures, contract.max_batch_size, quick=model.quick, bounds=bounds
    )
    return Serving(contract, Phase.READY, plane.DataPlane(model, batcher)), measures


@contextlib.asynccontextmanager
async def client(model: Model, **more: object) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a ready server with this model."""
    transport = httpx.ASGITransport(app.App(*serve(model, **more)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://iris") as http:
        yield http


@contextlib.asynccontextmanager
async def calls(serving: Serving, measures: metrics.Metrics) -> AsyncIterator[str]:
    """The gRPC port of a server, on loopback: its address."""
    from ferryman_server.grpc_api import server

    serving.settings = replace(serving.settings, host="127.0.0.1", grpc_port=process.free_port())
    listening = await server.start(serving, measures)
    try:
        yield f"127.0.0.1:{serving.settings.grpc_port}"
    finally:
        await listening.stop(None)
