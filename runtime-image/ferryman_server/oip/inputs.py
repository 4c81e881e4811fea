"""Tensors to rows. What came as an array and is what the schema asks for goes through as it is.

Everything else, and everything wrong, takes the way of the lists, which knows how to name the culprit.
"""

from collections.abc import Sequence

import numpy as np

from ferryman_server.dataplane import tensors, validate
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Schema, Table, Tensor, Tensors
from ferryman_server.oip.tensors import Sent


def rows(schema: Schema, given: Sequence[Sent]) -> Rows:
    """The model's rows in these inputs."""
    return _straight(schema, given) or validate.from_tensors(schema, [_listed(one) for one in given])


def _listed(one: Sent) -> tensors.NamedTensor:
    values = one.data.reshape(-1).tolist() if isinstance(one.data, np.ndarray) else one.data
    return tensors.NamedTensor(one.name, one.kind, one.shape, values)


def _straight(schema: Schema, given: Sequence[Sent]) -> Rows | None:
    if isinstance(schema, Table):
        return _matrix(schema, given[0]) if len(given) == 1 else None
    arrays = [_fitting(one, wanted.kind, wanted.shape) for one, wanted in _paired(schema, given)]
    found = [array for array in arrays if array is not None]
    if len(found) < len(schema.tensors) or len({len(array) for array in found}) > 1:
        return None
    return Rows(tuple(found), len(found[0]))


def _matrix(schema: Table, lone: Sent) -> Rows | None:
    if schema.free and isinstance(lone.data, np.ndarray):  # no schema: it is what it says it is
        array = _fitting(lone, lone.kind, (-1,) * len(lone.shape))
    elif schema.packed and not (schema.named and lone.name in schema.index):
        array = _fitting(lone, schema.packed, (-1, schema.width))
    else:
        return None
    return None if array is None else Rows((array,), len(array))


def _paired(schema: Tensors, given: Sequence[Sent]) -> list[tuple[Sent, Tensor]]:
    if len(given) != len(schema.tensors):
        return []
    if len(given) == 1:  # a lone tensor needs no name
        return [(given[0], schema.tensors[0])]
    by_name = {one.name: one for one in given}
    return [(by_name[wanted.name], wanted) for wanted in schema.tensors if wanted.name in by_name]


def _fitting(one: Sent, kind: Kind, shape: tuple[int, ...]) -> Array | None:
    """A copy of its own, because models may write into what they are given, in the type that the model takes."""
    array = one.data
    if not isinstance(array, np.ndarray) or not one.shape or not one.shape[0] or len(one.shape) != len(shape):
        return None
    if any(want not in (-1, have) for want, have in zip(shape, one.shape, strict=True)):
        return None
    if one.kind is not kind and not (one.kind.is_number and (kind.is_float or np.can_cast(array.dtype, kind.dtype))):
        return None
    try:
        with np.errstate(over="raise"):
            return array.astype(kind.dtype)
    except FloatingPointError:
        return None
