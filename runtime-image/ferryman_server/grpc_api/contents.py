"""A tensor's values as protobuf's typed lists: which list belongs to which datatype, and both ways through it.

FP16 has no list of its own and travels raw only.
"""

import math
from typing import Any

import numpy as np

from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array
from ferryman_server.oip import raw
from ferryman_server.oip.tensors import Sent

_LISTS = {
    Kind.BOOL: "bool_contents",
    Kind.INT8: "int_contents",
    Kind.INT16: "int_contents",
    Kind.INT32: "int_contents",
    Kind.INT64: "int64_contents",
    Kind.UINT8: "uint_contents",
    Kind.UINT16: "uint_contents",
    Kind.UINT32: "uint_contents",
    Kind.UINT64: "uint64_contents",
    Kind.FP32: "fp32_contents",
    Kind.FP64: "fp64_contents",
    Kind.BYTES: "bytes_contents",
}


def read(name: str, kind: Kind, shape: tuple[int, ...], contents: Any) -> Sent:
    """The values, from the one list that may hold them."""
    wanted = _LISTS.get(kind)
    if wanted is None:
        raise InvalidInputError(f'Input "{name}" is {kind.value}, which has no typed contents; send it raw.')
    wrong = [field.name for field, _ in contents.ListFields() if field.name != wanted]
    if wrong:
        raise InvalidInputError(f'Input "{name}" is {kind.value}: its values belong in {wanted}, not in {wrong[0]}.')
    values = list(getattr(contents, wanted))
    if kind.is_number and len(values) == math.prod(shape):
        whole = np.uint64 if kind.value.startswith("U") else np.int64
        array = np.array(values, dtype=np.float64 if kind.is_float else whole)
        narrow = array.astype(kind.dtype)
        if kind.is_float or (narrow == array).all():
            return Sent(name, kind, shape, narrow.reshape(shape))
    return Sent(name, kind, shape, values)  # the way of the lists says what is wrong


def write(array: Array, kind: Kind) -> dict[str, Any] | None:
    """The same for an answer; None where there is no list for it."""
    wanted = _LISTS.get(kind)
    if wanted is None:
        return None
    return {wanted: raw.parts(array) if kind is Kind.BYTES else array.reshape(-1).tolist()}
