"""Open Inference Protocol V2, JSON: typed tensors in and out, and the model's metadata."""

import json
from typing import Any

from ferryman_server import __version__
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane import tensors, validate
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Array
from ferryman_server.dataplane.schema import Table, Tensor, Tensors
from ferryman_server.rest import message
from ferryman_server.rest.message import RefusedError, Request, Response
from ferryman_server.serving import Serving


async def infer(request: Request, plane: DataPlane, serving: Serving) -> Response:
    """`{"inputs": [{"name", "datatype", "shape", "data"}]}`."""
    if b"inference-header-content-length" in request.headers:
        raise RefusedError(400, "The binary tensor extension is not served here; send the tensors' data as JSON.")
    body = message.decode_object(request)
    given = body.get("inputs")
    if not isinstance(given, list):
        raise RefusedError(400, 'The body must have "inputs", a list of tensors.')
    rows = validate.from_tensors(plane.model.schema, [_read(one, at) for at, one in enumerate(given)])
    answer = _chosen(await plane.predict(rows), body.get("outputs"))
    reply: dict[str, Any] = {
        "model_name": serving.settings.model_name,
        "model_version": serving.settings.model_version,
        "outputs": [_write(name, array) for name, array in answer.items()],
    }
    if "id" in body:
        reply["id"] = body["id"]
    return message.answer(reply)


def _read(given: Any, at: int) -> tensors.NamedTensor:
    where = f'"inputs[{at}]"'
    if not isinstance(given, dict):
        raise RefusedError(400, f"{where} must be an object with name, datatype, shape and data.")
    missing = [key for key in ("name", "datatype", "shape", "data") if key not in given]
    if missing:
        raise RefusedError(400, f"{where} misses {', '.join(missing)}.")
    name, datatype, shape, data = given["name"], given["datatype"], given["shape"], given["data"]
    if not isinstance(name, str):
        raise RefusedError(400, f'{where}: "name" must be a string.')
    if datatype not in set(Kind):
        raise RefusedError(400, f'Input "{name}" has datatype {datatype!r}; known are {", ".join(Kind)}.')
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise RefusedError(400, f'Input "{name}": "shape" must be a list of sizes, got {json.dumps(shape)[:80]}.')
    if not isinstance(data, list):
        raise RefusedError(400, f'Input "{name}": "data" must be a list.')
    return tensors.NamedTensor(name, Kind(datatype), tuple(shape), data)


def _chosen(answer: Answer, wanted: Any) -> Answer:
    if not wanted:
        return answer
    try:
        names = [one["name"] for one in wanted]
    except (TypeError, KeyError):
        raise RefusedError(400, '"outputs" must be a list of objects with a name.') from None
    unknown = [name for name in names if name not in answer]
    if unknown:
        raise RefusedError(400, f'The model has no output "{unknown[0]}"; it has {", ".join(answer)}.')
    return {name: answer[name] for name in names}


def _write(name: str, array: Array) -> dict[str, Any]:
    kind = kinds.of(array)
    data = array.reshape(-1).tolist()
    if kind is Kind.BYTES:
        data = [one if isinstance(one, str) else message.encode(one).decode() for one in data]
    return {"name": name, "datatype": kind.value, "shape": list(array.shape), "data": data}


# --- metadata -------------------------------------------------------------------------------------


def server() -> dict[str, Any]:
    """Who we are; the list of extensions is honest, and empty."""
    return {"name": "ferryman", "version": __version__, "extensions": []}


def metadata(model: Model, serving: Serving) -> dict[str, Any]:
    """What goes in, what comes out, and which bytes these are."""
    manifest = serving.manifest
    version = serving.settings.model_version
    return {
        "name": serving.settings.model_name,
        "versions": [version] if version else [],
        "platform": model.platform,
        "inputs": _inputs(model.schema),
        "outputs": [_describe(tensor) for tensor in model.outputs],
        "parameters": {
            "revision": serving.settings.revision,
            "uri": manifest.uri if manifest else "",
            "digest": manifest.digest if manifest else "",
            "packages": model.packages,
        },
    }


def _inputs(schema: Table | Tensors) -> list[dict[str, Any]]:
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
