"""The two bodies that most requests have, read in one pass: a matrix of numbers, in V1's words or in V2's.

None means that the body is anything else, or wrong: it is read again by those who can say what it is. So nothing here
refuses anything, and nothing here may take what they would refuse.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Schema, Table
from ferryman_server.rest.message import JSON, Request

_LARGEST = {Kind.FP16: 65520.0, Kind.FP32: 2.0**128 - 2.0**103}
"""The first number that would become infinite in each; FP64 takes all that JSON can say."""


def _reader(kind: Kind, of: Callable[[Any], type[msgspec.Struct]]) -> Callable[[bytes], Any]:
    """What reads a body of numbers that fit the kind. null is NaN."""
    most = _LARGEST.get(kind)
    fits = float if most is None else Annotated[float, msgspec.Meta(gt=-most, lt=most)]
    return msgspec.json.Decoder(of(fits | None)).decode


def _instances(number: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct("Instances", [("instances", list[list[number]])], forbid_unknown_fields=True)


def _inference(number: Any) -> type[msgspec.Struct]:
    members = [
        ("name", str),
        ("shape", tuple[int, int]),
        ("datatype", Literal["FP32", "FP64"]),
        ("data", list[number]),
    ]
    tensor = msgspec.defstruct("Tensor", members, forbid_unknown_fields=True)
    inputs = ("inputs", tuple[tensor])  # type: ignore[valid-type]
    identity = ("id", str | msgspec.UnsetType, msgspec.UNSET)
    return msgspec.defstruct("Inference", [inputs, identity], forbid_unknown_fields=True)


_FLOATS = (Kind.FP16, Kind.FP32, Kind.FP64)
_read_instances = {kind: _reader(kind, _instances) for kind in _FLOATS}
_read_inference = {kind: _reader(kind, _inference) for kind in _FLOATS}


def _matrix(schema: Schema, request: Request) -> Table | None:
    """The table of a model that takes a matrix of real numbers, if the request says that it is JSON."""
    if not isinstance(schema, Table) or schema.packed is None or not schema.packed.is_float:
        return None
    return schema if request.headers.get(b"content-type", JSON) == JSON else None


def instances(schema: Schema, request: Request) -> Rows | None:
    """`{"instances": [[number, ...], ...]}`."""
    table = _matrix(schema, request)
    if table is None:
        return None
    kind = _kind(table)
    try:
        matrix = np.array(_read_instances[kind](request.body).instances, dtype=kind.dtype)
    except (msgspec.DecodeError, ValueError):
        return None
    if matrix.ndim != 2 or matrix.shape[1] != table.width:
        return None
    return Rows((matrix,), len(matrix))


def inference(schema: Schema, request: Request) -> tuple[Rows, str | None] | None:
    """`{"inputs": [{"name", "shape": [n, m], "datatype": "FP..", "data": [number, ...]}]}`, with its id."""
    table = _matrix(schema, request)
    if table is None:
        return None
    kind = _kind(table)
    try:
        body = _read_inference[kind](request.body)
        [tensor] = body.inputs
        matrix = np.array(tensor.data, dtype=kind.dtype).reshape(tensor.shape)
    except (msgspec.DecodeError, ValueError):
        return None
    if tensor.name in table.index or len(matrix) == 0 or matrix.shape[1] != table.width or min(tensor.shape) < 0:
        return None
    return Rows((matrix,), len(matrix)), None if body.id is msgspec.UNSET else body.id


def _kind(table: Table) -> Kind:
    assert table.packed is not None
    return table.packed
