"""Requests to rows: every shape in which clients write tables and tensors, checked against the schema.

Each refusal names the input, what was expected and what came. `label` is how the protocol calls the
list it found ("instances", "data"), so that a client recognises its own words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ferryman_server.dataplane import convert
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Column, Schema, Table, Tensor, Tensors


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A tensor as the Open Inference Protocol writes it; the data may be nested or flat."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    data: Sequence[Any]


def from_rows(schema: Schema, given: Any, label: str) -> Rows:
    """Rows, each a list in the schema's order, an object by name, or a lone value."""
    if not isinstance(given, list):
        raise InvalidInputError(f'"{label}" must be a list of rows, got {convert.describe(given)}.')
    if not given:
        raise InvalidInputError(f'"{label}" is empty; the model expects at least one row.')
    if isinstance(schema, Tensors):
        return _tensor_rows(schema, given, label)
    first = given[0]
    if isinstance(first, dict):
        return _named_rows(schema, given, label)
    if not isinstance(first, list):
        if schema.width != 1 and not schema.free:
            raise InvalidInputError(
                f'"{label}[0]" must be a row, {schema.sentence()}, got {convert.describe(first)}.'
            )
        given = [[value] for value in given]
    return _positional_rows(schema, given, label)


def from_columns(schema: Schema, given: dict[str, Any], label: str) -> Rows:
    """Columns by name, each a list with one entry per row."""
    for name, values in given.items():
        if not isinstance(values, list):
            raise InvalidInputError(
                f'"{label}.{name}" must be a list with one entry per row, got {convert.describe(values)}.'
            )
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise InvalidInputError(f'The columns of "{label}" must be equally long: {told}.')
    if not given or not next(iter(lengths.values())):
        raise InvalidInputError(f'"{label}" is empty; the model expects at least one row.')
    if isinstance(schema, Tensors):
        _check_names({tensor.name for tensor in schema.tensors}, set(), given, label)
        return _tensors(schema, {t.name: (given[t.name], f'"{label}.{t.name}"') for t in schema.tensors})
    return _columns(schema, given, lambda name, at: f'"{label}.{name}[{at}]"', label)


def from_split(schema: Schema, columns: list[str] | None, data: Any, label: str) -> Rows:
    """Rows of values whose columns are named once, in any order."""
    if columns is None:
        return from_rows(schema, data, label)
    if not isinstance(data, list) or not data:
        raise InvalidInputError(f'"{label}" must be a list of at least one row, got {convert.describe(data)}.')
    for at, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            came = f"{len(row)} values" if isinstance(row, list) else convert.describe(row)
            raise InvalidInputError(f'"{label}[{at}]" must have the {len(columns)} values of "columns", got {came}.')
    if isinstance(schema, Table) and not schema.free and schema.named is False and schema.width == len(columns):
        return from_rows(schema, data, label)
    given = {name: list(values) for name, values in zip(columns, zip(*data, strict=True), strict=True)}
    if isinstance(schema, Tensors):
        return from_columns(schema, given, label)
    return _columns(schema, given, lambda name, at: f'"{name}" in row {at} of "{label}"', label)


def from_tensors(schema: Schema, given: list[NamedTensor]) -> Rows:
    """Open Inference Protocol inputs: the schema's tensors, a matrix, or one tensor per column."""
    if not given:
        raise InvalidInputError('"inputs" is empty; the model expects at least one tensor.')
    by_name = {tensor.name: tensor for tensor in given}
    if len(by_name) < len(given):
        raise InvalidInputError('"inputs" names a tensor twice.')
    if isinstance(schema, Tensors):
        if len(schema.tensors) == len(given) == 1:  # a lone input needs no name
            by_name = {schema.tensors[0].name: given[0]}
        _check_names({tensor.name for tensor in schema.tensors}, set(), by_name, "inputs")
        return _rows([_tensor(by_name[wanted.name], wanted.kind, wanted.shape) for wanted in schema.tensors])
    only = given[0]
    if schema.free:
        return _rows([_tensor(t, t.kind, (-1,) * len(t.shape)) for t in given], tuple(by_name) if len(given) > 1 else ())
    if len(given) == 1 and not (schema.width == 1 and len(only.shape) == 1) and only.name not in schema.index:
        return _matrix(schema, only)
    if not schema.named and len(given) > 1:
        raise InvalidInputError(
            f"The model expects one input of shape [-1, {schema.width}], got {len(given)}: {', '.join(by_name)}."
        )
    if not schema.named:
        return _matrix(schema, only)
    optional = {column.name for column in schema.columns if not column.required}
    _check_names(set(schema.index), optional, by_name, "inputs")
    arrays = {}
    for column in schema.columns:
        if column.name in by_name:
            tensor = by_name[column.name]
            shape = (-1, 1) if len(tensor.shape) == 2 else (-1,)
            arrays[column.name] = _tensor(tensor, schema.packed or column.kind, shape).reshape(-1)
    return _table(schema, arrays)


# --- tables ---------------------------------------------------------------------------------------


def _positional_rows(schema: Table, given: list[Any], label: str) -> Rows:
    width = len(given[0]) if schema.free else schema.width
    for at, row in enumerate(given):
        if not isinstance(row, list) or len(row) != width:
            came = f"{len(row)} values" if isinstance(row, list) else convert.describe(row)
            wanted = f"{width} values, like the first row" if schema.free else schema.sentence()
            raise InvalidInputError(f'"{label}[{at}]" must have {wanted}, got {came}.')
    if schema.packed:
        flat = list(chain.from_iterable(given))

        def where(at: int) -> str:
            row, place = divmod(at, width)
            column = f" ({schema.columns[place].name})" if schema.named else ""
            return f'"{label}[{row}][{place}]"{column}'

        packed = convert.array(flat, schema.packed, where).reshape(len(given), width)
        return Rows((packed,), len(given))
    if schema.free:
        return Rows((_loose(given, label),), len(given))
    named = {column.name: values for column, values in zip(schema.columns, zip(*given, strict=True), strict=True)}
    return _columns(schema, named, lambda name, at: f'"{label}[{at}][{schema.index[name]}]" ({name})', label)


def _named_rows(schema: Table, given: list[Any], label: str) -> Rows:
    if not schema.named and not schema.free:
        raise InvalidInputError(
            f'"{label}[0]" is an object, and the model\'s inputs have no names; send {schema.sentence()} as a list.'
        )
    columns: dict[str, list[Any]] = {}
    first = given[0].keys()
    for at, row in enumerate(given):
        if not isinstance(row, dict):
            raise InvalidInputError(f'"{label}[{at}]" must be an object like the first, got {convert.describe(row)}.')
        if not schema.free:
            optional = {column.name for column in schema.columns if not column.required}
            _check_names(set(schema.index), optional, row, f"{label}[{at}]")
        elif row.keys() != first:
            raise InvalidInputError(f'"{label}[{at}]" must have the names of the first row: {", ".join(first)}.')
    for name in first if schema.free else schema.index:
        if any(name in row for row in given):
            columns[name] = [row.get(name) for row in given]
    return _columns(schema, columns, lambda name, at: f'"{label}[{at}].{name}"', label)


def _columns(schema: Table, given: dict[str, Any], where: Any, label: str) -> Rows:
    if schema.free:
        arrays = tuple(_loose(values, f"{label}.{name}") for name, values in given.items())
        return Rows(arrays, len(arrays[0]), tuple(given))
    if not schema.named:
        raise InvalidInputError(
            f'"{label}" has names ({", ".join(given)}), and the model\'s inputs have none; '
            f"send {schema.sentence()} as lists."
        )
    optional = {column.name for column in schema.columns if not column.required}
    _check_names(set(schema.index), optional, given, label)
    arrays_by_name = {}
    for column in schema.columns:
        if column.name in given:

            def place(at: int, name: str = column.name) -> str:
                return str(where(name, at))

            arrays_by_name[column.name] = convert.array(
                given[column.name], schema.packed or column.kind, place, nullable=not column.required
            )
    return _table(schema, arrays_by_name)


def _table(schema: Table, arrays: dict[str, Array]) -> Rows:
    counts = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise InvalidInputError(f"All inputs must have the same number of rows: {told}.")
    count = next(iter(counts.values()))
    if schema.packed:
        return Rows((np.stack([arrays[name] for name in schema.index], axis=1),), count)
    ordered = tuple(
        arrays[column.name] if column.name in arrays else _absent(column, count) for column in schema.columns
    )
    return Rows(ordered, count)


def _absent(column: Column, count: int) -> Array:
    if column.kind.is_float:
        return np.full(count, np.nan, dtype=column.kind.dtype)
    return np.full(count, None, dtype=object)


def _loose(values: Any, label: str) -> Array:
    """A free table's values: whatever NumPy makes of them, as long as it is rectangular."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f'"{label}" is not rectangular; every row must have the same shape.') from error
    return array.astype(object) if array.dtype.kind in "US" else array


def _matrix(schema: Table, tensor: NamedTensor) -> Rows:
    if len(tensor.shape) != 2 or tensor.shape[1] != schema.width:
        raise InvalidInputError(
            f'Input "{tensor.name}" must have shape [-1, {schema.width}] ({schema.sentence()}), '
            f"got {list(tensor.shape)}."
        )
    if schema.packed:
        return _rows([_tensor(tensor, schema.packed, (-1, schema.width))])
    flat = _flat(tensor)
    named = {column.name: flat[at :: schema.width] for at, column in enumerate(schema.columns)}
    return _columns(schema, named, lambda name, at: f'Input "{tensor.name}", row {at}, {name}', tensor.name)


# --- tensors --------------------------------------------------------------------------------------


def _tensor_rows(schema: Tensors, given: list[Any], label: str) -> Rows:
    if isinstance(given[0], dict):
        names = {tensor.name for tensor in schema.tensors}
        for at, row in enumerate(given):
            if not isinstance(row, dict):
                raise InvalidInputError(f'"{label}[{at}]" must be an object like the first, got {convert.describe(row)}.')
            _check_names(names, set(), row, f"{label}[{at}]")
        return _tensors(
            schema, {t.name: ([row[t.name] for row in given], f'"{label}.{t.name}"') for t in schema.tensors}
        )
    if len(schema.tensors) > 1:
        names = {tensor.name for tensor in schema.tensors}
        raise InvalidInputError(
            f'"{label}[0]" must be an object with {_listed(names)}, got {convert.describe(given[0])}.'
        )
    return _tensors(schema, {schema.tensors[0].name: (given, f'"{label}"')})


def _tensors(schema: Tensors, given: dict[str, tuple[Any, str]]) -> Rows:
    arrays = []
    for tensor in schema.tensors:
        values, where = given[tensor.name]
        shape = _shape(values, where)
        if len(shape) == 1 and tensor.shape[1:] == (1,):  # [1, 2, 3] for a column
            shape = (*shape, 1)
        arrays.append(_tensor(NamedTensor(where.strip('"'), tensor.kind, shape, values), tensor.kind, tensor.shape))
    return _rows(arrays)


def _tensor(given: NamedTensor, kind: Kind, shape: tuple[int, ...]) -> Array:
    fits = len(given.shape) == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, given.shape, strict=True)
    )
    if not fits:
        raise InvalidInputError(f'Input "{given.name}" must have shape {list(shape)}, got {list(given.shape)}.')
    if not _castable(given.kind, kind):
        raise InvalidInputError(f'Input "{given.name}" must have datatype {kind.value}, got {given.kind.value}.')
    flat = _flat(given)
    return convert.array(flat, kind, lambda at: f'Input "{given.name}", element {at},').reshape(given.shape)


def _castable(given: Kind, wanted: Kind) -> bool:
    if given is wanted:
        return True
    return given.is_number and (wanted.is_float or (wanted.is_integer and given.is_integer))


def _flat(given: NamedTensor) -> list[Any]:
    flat = list(given.data)
    while flat and isinstance(flat[0], list):
        if not all(isinstance(part, list) for part in flat):
            raise InvalidInputError(f'Input "{given.name}" is not rectangular: lists and values are mixed.')
        flat = list(chain.from_iterable(flat))
    wanted = math.prod(given.shape)
    if len(flat) != wanted:
        raise InvalidInputError(
            f'Input "{given.name}" must have {wanted} values for shape {list(given.shape)}, got {len(flat)}.'
        )
    return flat


def _shape(values: Any, where: str) -> tuple[int, ...]:
    shape: list[int] = []
    level = values
    while isinstance(level, list):
        shape.append(len(level))
        if not level:
            raise InvalidInputError(f"{where} has an empty list in dimension {len(shape) - 1}.")
        level = level[0]
    return tuple(shape)


def _rows(arrays: list[Array], names: tuple[str, ...] = ()) -> Rows:
    counts = {array.shape[0] if array.ndim else 0 for array in arrays}
    if len(counts) > 1:
        raise InvalidInputError(f"All inputs must have the same number of rows, got {sorted(counts)}.")
    count = counts.pop()
    if count == 0:
        raise InvalidInputError("The inputs have no rows; the model expects at least one.")
    return Rows(tuple(arrays), count, names)


def _check_names(wanted: set[str], optional: set[str], given: Any, label: str) -> None:
    missing, unknown = wanted - optional - given.keys(), given.keys() - wanted
    if not missing and not unknown:
        return
    facts = [f"misses {_listed(missing)}"] if missing else []
    facts += [f"has {_listed(unknown)}, which the model does not know"] if unknown else []
    raise InvalidInputError(f'"{label}" {" and ".join(facts)}; the model expects {_listed(wanted)}.')


def _listed(names: set[str]) -> str:
    shown = sorted(names)[:12]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(f'"{name}"' for name in shown) + more


__all__ = ["NamedTensor", "Tensor", "from_columns", "from_rows", "from_split", "from_tensors"]
