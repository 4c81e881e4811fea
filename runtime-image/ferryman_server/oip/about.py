"""What the server and its model say about themselves, for REST and gRPC alike."""

from typing import Any

from ferryman_server import __version__
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Schema, Tensor, Tensors
from ferryman_server.serving import Serving

# Only what is there: no repository control, no shared memory, no classification, no statistics.
EXTENSIONS = ("binary_tensor_data",)


def server() -> dict[str, Any]:
    """Who we are."""
    return {"name": "ferryman", "version": __version__, "extensions": list(EXTENSIONS)}


def model(model: Model, serving: Serving) -> dict[str, Any]:
    """What goes in, what comes out, and which bytes these are."""
    manifest = serving.manifest
    version = serving.settings.model_version
    return {
        "name": serving.settings.model_name,
        "versions": [version] if version else [],
        "platform": model.platform,
        "inputs": inputs(model.schema),
        "outputs": [_describe(tensor) for tensor in model.outputs],
        "parameters": {
            "revision": serving.settings.revision,
            "uri": manifest.uri if manifest else "",
            "digest": manifest.digest if manifest else "",
            "packages": model.packages,
            **_optimization(model),
        },
    }


def _optimization(model: Model) -> dict[str, Any]:
    """Which runtime answers for a model that another could answer for, counting in what, and why that one."""
    told = model.optimization
    if told is None:
        return {}
    reason = told.why or f"{told.rows} rows were answered alike"
    return {
        "runtime": told.runtime,
        "runtime_reason": reason,
        **({"precision": told.precision} if told.precision else {}),
    }


def inputs(schema: Schema) -> list[dict[str, Any]]:
    """The schema as tensors: itself, one matrix, or one for each column; a free table knows none."""
    if isinstance(schema, Tensors):
        return [_describe(tensor) for tensor in schema.tensors]
    if schema.free:
        return []
    if schema.packed:
        matrix: dict[str, Any] = _describe(Tensor(schema.tensor, schema.packed, (-1, schema.width)))
        if schema.named:
            matrix["parameters"] = {"columns": [column.name for column in schema.columns]}
        return [matrix]
    return [
        _describe(Tensor(column.name, column.kind, (-1,)))
        | ({} if column.required else {"parameters": {"optional": True}})
        for column in schema.columns
    ]


def _describe(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.kind.value, "shape": list(tensor.shape)}
