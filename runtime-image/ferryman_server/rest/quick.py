"""The two bodies that most requests have, read in one pass: a matrix of numbers, in V1's words or in V2's.

None means that the body is anything else, or wrong: it is read again by those who can say what it is. So nothing here
refuses anything, and nothing here may take what they would refuse.
"""

from typing import Literal

import msgspec
import numpy as np

from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Schema, Table
from ferryman_server.rest.message import JSON, Request

Number = float | None
"""null is NaN."""


class _Instances(msgspec.Struct, forbid_unknown_fields=True):
    instances: list[list[Number]]


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    data: list[Number]


class _Inference(msgspec.Struct, forbid_unknown_fields=True):
    inputs: tuple[_Tensor]
    id: str | msgspec.UnsetType = msgspec.UNSET


_instances = msgspec.json.Decoder(_Instances).decode
_inference = msgspec.json.Decoder(_Inference).decode


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
    try:
        matrix = np.array(_instances(request.body).instances, dtype=_dtype(table))
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
    try:
        body = _inference(request.body)
        [tensor] = body.inputs
        matrix = np.array(tensor.data, dtype=_dtype(table)).reshape(tensor.shape)
    except (msgspec.DecodeError, ValueError):
        return None
    if tensor.name in table.index or len(matrix) == 0 or matrix.shape[1] != table.width or min(tensor.shape) < 0:
        return None
    return Rows((matrix,), len(matrix)), None if body.id is msgspec.UNSET else body.id


def _dtype(table: Table) -> np.dtype[np.generic]:
    assert table.packed is not None
    return table.packed.dtype
