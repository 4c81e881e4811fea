"""The models that random requests are sent to: each with the application around it, in this process."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import iris, plain
from server.hostile import calls, nearly, tensor_model, wire

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE, Column, Tensor, Tensors, named
from ferryman_server.rest import app, fastpath

OPTIONAL = named((Column("a", Kind.FP64, required=False), Column("n", Kind.INT64, required=False)), None)
CUBE = Tensors(
    (Tensor("cube", Kind.FP32, (-1, -1, 2)), Tensor("yes", Kind.BOOL, (-1,)), Tensor("small", Kind.INT8, (-1,)))
)
PLAIN = {"inputs": [{"name": "input", "datatype": "FP64", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]}]}


def first(rows: Any) -> Any:
    """A model that gives back what it was given, as far as an answer can hold it."""
    return {"y": rows.arrays[0]}


MODELS: dict[str, Callable[[iris.Shelf, Path], Model]] = {
    "scikit-learn": lambda shelf, _: plain.load(shelf.skops()),
    "pyfunc": lambda shelf, _: plain.load(shelf.mlflow_pyfunc()),
    "tensors": lambda _, scratch: plain.load(tensor_model.write(scratch / "tensors")),
    "matrix": lambda shelf, _: plain.load(shelf.onnx()),
    "optional": lambda _, __: Model("test", OPTIONAL, first),
    "cube": lambda _, __: Model("test", CUBE, first),
    "free": lambda _, __: Model("test", FREE, first),
}
GRAPH = {"graph": lambda shelf, _: plain.load(shelf.skops(), optimize=True)}


class Impatient(fastpath.FastPath):
    """Heads that were cut short are given up soon."""

    silence = 0.05


@dataclass(frozen=True, slots=True)
class World:
    """One model, its good requests, and three ways to ask it."""

    name: str
    app: app.App
    good: nearly.Good
    port: int
    calls: calls.Connection


@contextlib.asynccontextmanager
async def opened(name: str, model: Model) -> AsyncIterator[World]:
    """The application around a model, on a port for HTTP and on one for gRPC, too."""
    serving, measures = plain.serve(model, max_body_bytes=1_000_000)
    application = app.App(serving, measures)
    async with wire.listening(application, Impatient) as port, plain.calls(serving, measures) as address:
        connection = await calls.connected(address)
        try:
            yield World(name, application, nearly.good(serving, PLAIN), port, connection)
        finally:
            connection.close()
