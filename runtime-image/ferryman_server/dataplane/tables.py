"""Tables to rows: lists, objects, columns or a matrix, checked against the columns that were asked for."""

from itertools import chain
from typing import Any

import numpy as np

from ferryman_server.dataplane import convert, names, tensors
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Column, Table

_WORDS = frozenset({str, int, float, bool})
_MOST_DIMENSIONS = 32


def from_lists(schema: Table, given: list[Any], label: str) -> Rows:
    """Each row a list in the schema's order."""
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
        return Rows((loose(given, label),), len(given))
    named = {column.name: values for column, values in zip(schema.columns, zip(*given, strict=True), strict=True)}
    return from_columns(schema, named, lambda name, at: f'"{label}[{at}][{schema.index[name]}]" ({name})', label)


def from_objects(schema: Table, given: list[Any], label: str) -> Rows:
    """Each row an object by column name."""
    if not schema.named and not schema.free:
        raise InvalidInputError(
            f'"{label}[0]" is an object, and the model\'s inputs have no names; send {schema.sentence()} as a list.'
        )
    columns: dict[str, list[Any]] = {}
    first = given[0].keys()
    wanted = set(schema.index)
    optional = {column.name for column in schema.columns if not column.required}
    for at, row in enumerate(given):
        if not isinstance(row, dict):
            raise InvalidInputError(f'"{label}[{at}]" must be an object like the first, got {convert.describe(row)}.')
        if not schema.free:
            names.check(wanted, optional, row, f"{label}[{at}]")
        elif row.keys() != first:
            raise InvalidInputError(
                f'"{label}[{at}]" must have the names of the first row: {names.listed(set(first))}.'
            )
    for name in first if schema.free else schema.index:
        if any(name in row for row in given):
            columns[name] = [row.get(name) for row in given]
    return from_columns(schema, columns, lambda name, at: f'"{label}[{at}].{name}"', label)


def from_columns(schema: Table, given: dict[str, Any], where: Any, label: str) -> Rows:
    """Lists by column name; `where(name, at)` is what a client would call a value."""
    if schema.free:
        if not given:
            raise InvalidInputError(f'The rows of "{label}" have no values.')
        arrays = tuple(loose(values, f"{label}.{name}") for name, values in given.items())
        return Rows(arrays, len(arrays[0]), tuple(given))
    if not schema.named:
        raise InvalidInputError(
            f'"{label}" has names ({names.listed(set(given))}), and the model\'s inputs have none; '
            f"send {schema.sentence()} as lists."
        )
    optional = {column.name for column in schema.columns if not column.required}
    names.check(set(schema.index), optional, given, label)
    arrays_by_name = {}
    for column in schema.columns:
        if column.name in given:

            def place(at: int, name: str = column.name) -> str:
                return str(where(name, at))

            arrays_by_name[column.name] = convert.array(
                given[column.name],
                schema.packed or column.kind,
                place,
                nullable=not column.required,
                text=column.text,
            )
    return assemble(schema, arrays_by_name)


def from_tensors(schema: Table, given: dict[str, tensors.NamedTensor]) -> Rows:
    """One tensor per column, of shape [-1] or [-1, 1]."""
    optional = {column.name for column in schema.columns if not column.required}
    names.check(set(schema.index), optional, given, "inputs")
    arrays = {}
    for column in schema.columns:
        if column.name in given:
            tensor = given[column.name]
            shape = (-1, 1) if len(tensor.shape) == 2 else (-1,)
            arrays[column.name] = tensors.array(tensor, schema.packed or column.kind, shape, column.text).reshape(-1)
    return assemble(schema, arrays)


def assemble(schema: Table, arrays: dict[str, Array]) -> Rows:
    """Converted columns as the model takes them: one matrix, or one array each."""
    counts = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InvalidInputError(f"All inputs must have the same number of rows: {names.counts(counts)}.")
    if not counts:  # every column may be absent, but not all of them
        raise InvalidInputError(
            f"The rows have no values; the model expects some of {names.listed(set(schema.index))}."
        )
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


def loose(values: Any, label: str) -> Array:
    """A free table's values: whatever NumPy makes of them, as long as it is rectangular.

    Text never reaches NumPy's own strings, where each has the size of the longest: a long one in one row of
    thousands would be gigabytes.
    """
    shape, flat = tensors.unfolded(values, f'"{label}"')
    types = set(map(type, flat))
    if list in types or len(shape) > _MOST_DIMENSIONS:
        raise InvalidInputError(f'"{label}" is not rectangular: lists and values are mixed, or too deep.')
    if str not in types:
        return np.array(flat).reshape(shape)
    if types <= _WORDS:  # numbers among text are text, as NumPy has it
        flat = [value if isinstance(value, str) else str(value) for value in flat]
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    return found.reshape(shape)


def from_matrix(schema: Table, tensor: tensors.NamedTensor) -> Rows:
    """A two-dimensional tensor as a whole table."""
    if len(tensor.shape) != 2 or tensor.shape[1] != schema.width:
        raise InvalidInputError(
            f'Input "{tensor.name}" must have shape [-1, {schema.width}] ({schema.sentence()}), '
            f"got {list(tensor.shape)}."
        )
    if schema.packed:
        return tensors.together([tensors.array(tensor, schema.packed, (-1, schema.width))])
    flat = tensors.flat(tensor)
    named = {column.name: flat[at :: schema.width] for at, column in enumerate(schema.columns)}
    return from_columns(schema, named, lambda name, at: f'Input "{tensor.name}", row {at}, {name}', tensor.name)
