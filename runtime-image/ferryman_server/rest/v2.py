"""Open Inference Protocol V2: typed tensors in and out, as JSON or, by its binary extension, as bytes.

A body with bytes is JSON first, as long as the header `Inference-Header-Content-Length` says, and then the tensors'
values in the order of the inputs. An answer with bytes has the same form.
"""

from typing import Any

from ferryman_server.dataplane import convert, text
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Array
from ferryman_server.oip import inputs, outputs, raw, tensors
from ferryman_server.oip.tensors import Sent
from ferryman_server.rest import message, quick
from ferryman_server.rest.message import RefusedError, Request, Response
from ferryman_server.serving import Serving

LENGTH = b"inference-header-content-length"
_BINARY = b"application/octet-stream"
_NOT_SERVED = ("shared_memory_region", "classification")


async def infer(request: Request, plane: DataPlane, serving: Serving) -> Response:
    """`{"inputs": [{"name", "datatype", "shape", "data"}]}`."""
    matrix = quick.inference(plane.model.schema, request) if LENGTH not in request.headers else None
    if matrix is not None:
        rows, identity = matrix
        return _reply(_head(serving, identity), await plane.predict(rows), set())
    body, values = _parts(request)
    given = body.get("inputs")
    if not isinstance(given, list):
        raise RefusedError(400, 'The body must have "inputs", a list of tensors.')
    tail = _Tail(values)
    rows = inputs.rows(plane.model.schema, [_read(one, at, tail) for at, one in enumerate(given)])
    tail.end()
    everywhere = _flag(_parameters(body), "binary_data_output", default=False)
    wanted = _wanted(body, everywhere)
    head = _head(serving, _identity(body))
    answer = outputs.chosen(await plane.predict(rows), list(wanted))
    binary = {name for name in answer if wanted.get(name, everywhere)}
    return _reply(head, answer, binary)


def _identity(body: dict[str, Any]) -> str | None:
    given = body.get("id")
    if given is None or isinstance(given, str):
        return given
    raise RefusedError(400, f'"id" must be a string, got {convert.describe(given)}.')


def _head(serving: Serving, identity: str | None) -> dict[str, Any]:
    head = {"model_name": serving.settings.model_name, "model_version": serving.settings.model_version}
    return head if identity is None else head | {"id": identity}


# --- in -------------------------------------------------------------------------------------------


def _parts(request: Request) -> tuple[dict[str, Any], memoryview]:
    """The JSON, and the bytes after it: none of them unless the header says so."""
    length = request.headers.get(LENGTH)
    if length is None:
        return message.decode_object(request), memoryview(b"")
    size = int(length) if length.isdigit() and len(length) < 20 else -1
    if not 0 <= size <= len(request.body):
        raise RefusedError(
            400,
            "Inference-Header-Content-Length must say how many of the body's "
            f'{len(request.body)} bytes are JSON; it is "{length.decode("latin-1")[:40]}".',
        )
    return message.object_in(request.body[:size]), memoryview(request.body)[size:]


class _Tail:
    """The bytes after the JSON, taken from the front."""

    def __init__(self, values: memoryview) -> None:
        self._values = values
        self._taken = 0

    def take(self, name: str, size: Any) -> memoryview:
        if type(size) is not int or size < 0:
            raise RefusedError(400, f'Input "{name}": "binary_data_size" must be a number of bytes.')
        end = self._taken + size
        if end > len(self._values):
            left = len(self._values) - self._taken
            raise RefusedError(400, f'Input "{name}" says that it has {size} bytes after the JSON; {left} are left.')
        found = self._values[self._taken : end]
        self._taken = end
        return found

    def end(self) -> None:
        if self._taken < len(self._values):
            raise RefusedError(400, f"The body has {len(self._values) - self._taken} bytes after its last tensor.")


def _read(given: Any, at: int, tail: _Tail) -> Sent:
    if not isinstance(given, dict):
        raise RefusedError(400, f'"inputs[{at}]" must be an object with name, datatype, shape and data.')
    size = _parameters(given).get("binary_data_size")
    wanted = ("name", "datatype", "shape") if size is not None else ("name", "datatype", "shape", "data")
    missing = [key for key in wanted if key not in given]
    if missing:
        raise RefusedError(400, f'"inputs[{at}]" misses {", ".join(missing)}.')
    name = given["name"]
    if not isinstance(name, str):
        raise RefusedError(400, f'"inputs[{at}]": "name" must be a string.')
    kind, shape = tensors.kind(name, given["datatype"]), tensors.shape(name, given["shape"])
    if size is not None:
        if given.get("data") is not None:
            raise RefusedError(400, f'Input "{name}" has its values twice: in "data" and as bytes; send one of them.')
        return raw.read(name, kind, shape, tail.take(name, size))
    data = given["data"]
    if not isinstance(data, list):
        raise RefusedError(400, f'Input "{name}": "data" must be a list.')
    return Sent(name, kind, shape, data)


# --- out ------------------------------------------------------------------------------------------


def _wanted(body: dict[str, Any], everywhere: bool) -> dict[str, bool]:
    """The outputs that the client named, and which of them it wants as bytes."""
    asked = body.get("outputs")
    if asked is None:
        return {}
    if not isinstance(asked, list) or not all(isinstance(_name(one), str) for one in asked):
        raise RefusedError(400, '"outputs" must be a list of objects with a name.')
    return {one["name"]: _flag(_parameters(one), "binary_data", default=everywhere) for one in asked}


def _name(asked: Any) -> Any:
    return asked.get("name") if isinstance(asked, dict) else None


def _flag(parameters: dict[str, Any], key: str, *, default: bool) -> bool:
    found = parameters.get(key, default)
    if not isinstance(found, bool):
        raise RefusedError(400, f'The parameter "{key}" must be true or false.')
    return found


def _parameters(holder: dict[str, Any]) -> dict[str, Any]:
    """What is not known is let be, unless the answer would be another without it."""
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RefusedError(400, f'"parameters" must be an object, got {convert.describe(parameters)}.')
    for name in _NOT_SERVED:
        if name in parameters:
            raise RefusedError(400, f'The parameter "{name}" belongs to an extension that is not served here.')
    return parameters


def _reply(reply: dict[str, Any], answer: Answer, binary: set[str]) -> Response:
    if not binary:
        return message.answer({**reply, "outputs": [_write(name, array) for name, array in answer.items()]})
    values = {name: raw.write(answer[name]) for name in answer if name in binary}
    head = message.encode(
        {
            **reply,
            "outputs": [
                _announced(name, array, len(values[name])) if name in values else _write(name, array)
                for name, array in answer.items()
            ],
        }
    )
    return Response(200, b"".join((head, *values.values())), _BINARY, ((LENGTH, str(len(head)).encode()),))


def _announced(name: str, array: Array, size: int) -> dict[str, Any]:
    shape = list(array.shape)
    return {
        "name": name,
        "datatype": kinds.of(array).value,
        "shape": shape,
        "parameters": {"binary_data_size": size},
    }


def _write(name: str, array: Array) -> dict[str, Any]:
    kind = kinds.of(array)
    data = _texts(name, array) if kind is Kind.BYTES else array.reshape(-1).tolist()
    return {"name": name, "datatype": kind.value, "shape": list(array.shape), "data": data}


def _texts(name: str, array: Array) -> list[str]:
    """Text, which is all that the protocol's JSON has for BYTES."""
    for at, one in enumerate(array.reshape(-1).tolist()):
        if isinstance(one, bytes) and isinstance(text.write(one), dict):
            raise RefusedError(
                400,
                f'Output "{name}", element {at}, is not UTF-8 text, which JSON cannot hold: '
                'ask for it as bytes ("parameters": {"binary_data": true}), or over gRPC.',
            )
    return raw.texts(array)
