"""Named tensors to rows: nested or flat lists, checked against the shape and type that were asked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ferryman_server.dataplane import convert, names
from ferryman_server.dataplane import text as texts
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Tensors
from ferryman_server.dataplane.text import Text


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A tensor as the Open Inference Protocol writes it; the data may be nested or flat."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    data: Sequence[Any]


def from_rows(schema: Tensors, given: list[Any], label: str) -> Rows:
    """Each row an object with its part of every tensor, or, for a lone tensor, that part itself."""
    if isinstance(given[0], dict) and not (len(schema.tensors) == 1 and texts.wrapped(given[0])):
        known = {tensor.name for tensor in schema.tensors}
        for at, row in enumerate(given):
            if not isinstance(row, dict):
                raise InvalidInputError(
                    f'"{label}[{at}]" must be an object like the first, got {convert.describe(row)}.'
                )
            names.check(known, set(), row, f"{label}[{at}]")
        return from_values(
            schema, {t.name: ([row[t.name] for row in given], f'"{label}.{t.name}"') for t in schema.tensors}
        )
    if len(schema.tensors) > 1:
        known = {tensor.name for tensor in schema.tensors}
        raise InvalidInputError(
            f'"{label}[0]" must be an object with {names.listed(known)}, got {convert.describe(given[0])}.'
        )
    return from_values(schema, {schema.tensors[0].name: (given, f'"{label}"')})


def from_values(schema: Tensors, given: dict[str, tuple[Any, str]]) -> Rows:
    """Nested lists by tensor, each with what a client would call it."""
    arrays = []
    for tensor in schema.tensors:
        values, where = given[tensor.name]
        shape = _shape(values, where)
        if len(shape) == 1 and tensor.shape[1:] == (1,):  # [1, 2, 3] for a column
            shape = (*shape, 1)
        part = NamedTensor(where.strip('"'), tensor.kind, shape, values)
        arrays.append(array(part, tensor.kind, tensor.shape, tensor.text))
    return together(arrays)


def from_named(schema: Tensors, given: dict[str, NamedTensor]) -> Rows:
    """Tensors by name; a lone one needs none."""
    if len(schema.tensors) == len(given) == 1:
        given = {schema.tensors[0].name: next(iter(given.values()))}
    names.check({tensor.name for tensor in schema.tensors}, set(), given, "inputs")
    return together([array(given[wanted.name], wanted.kind, wanted.shape, wanted.text) for wanted in schema.tensors])


def as_they_are(given: dict[str, NamedTensor]) -> Rows:
    """Tensors for a model without a schema: what they say they are, with their names if there are several."""
    arrays = [array(one, one.kind, (-1,) * len(one.shape)) for one in given.values()]
    return together(arrays, tuple(given) if len(given) > 1 else ())


def array(given: NamedTensor, kind: Kind, shape: tuple[int, ...], text: Text = Text.UTF8) -> Array:
    """One tensor, if its shape and datatype are those that were asked for."""
    fits = len(given.shape) == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, given.shape, strict=True)
    )
    if not fits:
        raise InvalidInputError(f'Input "{given.name}" must have shape {list(shape)}, got {list(given.shape)}.')
    if not _castable(given.kind, kind):
        raise InvalidInputError(f'Input "{given.name}" must have datatype {kind.value}, got {given.kind.value}.')
    found = convert.array(flat(given), kind, lambda at: f'Input "{given.name}", element {at},', text=text)
    return found.reshape(given.shape)


def _castable(given: Kind, wanted: Kind) -> bool:
    if given is wanted:
        return True
    return given.is_number and (wanted.is_float or (wanted.is_integer and given.is_integer))


def unfolded(values: Sequence[Any], called: str) -> tuple[tuple[int, ...], Sequence[Any]]:
    """The shape of nested lists, and what is in them as one list.

    Lists of unequal lengths are refused: in one list with the others, their values would belong to other rows.
    """
    shape = [len(values)]
    while values and isinstance(values[0], list):
        if set(map(type, values)) != {list}:
            raise InvalidInputError(f"{called} is not rectangular: lists and values are mixed.")
        size = len(values[0])
        if len(set(map(len, values))) > 1:
            other = next(at for at, part in enumerate(values) if len(part) != size)
            raise InvalidInputError(
                f"{called} is not rectangular: in dimension {len(shape)}, list 0 has {size} values, "
                f"list {other} has {len(values[other])}."
            )
        shape.append(size)
        values = list(chain.from_iterable(values))
    return tuple(shape), values


def flat(given: NamedTensor) -> Sequence[Any]:
    """Its values in one list, as many as its shape says."""
    _, values = unfolded(given.data, f'Input "{given.name}"')
    wanted = math.prod(given.shape)
    if len(values) != wanted:
        raise InvalidInputError(
            f'Input "{given.name}" must have {wanted} values for shape {list(given.shape)}, got {len(values)}.'
        )
    return values


def _shape(values: Any, where: str) -> tuple[int, ...]:
    shape: list[int] = []
    level = values
    while isinstance(level, list):
        shape.append(len(level))
        if not level:
            raise InvalidInputError(f"{where} has an empty list in dimension {len(shape) - 1}.")
        level = level[0]
    return tuple(shape)


def together(arrays: list[Array], called: tuple[str, ...] = ()) -> Rows:
    """Arrays that must have the same number of rows, at least one."""
    counts = {array.shape[0] if array.ndim else 0 for array in arrays}
    if len(counts) > 1:
        raise InvalidInputError(f"All inputs must have the same number of rows, got {sorted(counts)}.")
    count = counts.pop()
    if count == 0:
        raise InvalidInputError("The inputs have no rows; the model expects at least one.")
    return Rows(tuple(arrays), count, called)
