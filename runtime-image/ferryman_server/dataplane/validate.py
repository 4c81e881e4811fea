"""Requests to rows: every shape in which clients write tables and tensors, checked against the schema.

Each refusal names the input, what was expected and what came. `label` is how the protocol calls the
list it found ("instances", "data"), so that a client recognises its own words.
"""

from typing import Any

from ferryman_server.dataplane import convert, names, tables, tensors
from ferryman_server.dataplane import text as texts
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Schema, Table, Tensors


def from_rows(schema: Schema, given: Any, label: str) -> Rows:
    """Rows, each a list in the schema's order, an object by name, or a lone value."""
    if not isinstance(given, list):
        raise InvalidInputError(f'"{label}" must be a list of rows, got {convert.describe(given)}.')
    if not given:
        raise InvalidInputError(f'"{label}" is empty; the model expects at least one row.')
    if isinstance(schema, Tensors):
        return tensors.from_rows(schema, given, label)
    first = given[0]
    if isinstance(first, dict) and not (texts.wrapped(first) and schema.width == 1):
        return tables.from_objects(schema, given, label)
    if not isinstance(first, list):
        if schema.width != 1 and not schema.free:
            raise InvalidInputError(
                f'"{label}[0]" must be a row, {schema.sentence()}, got {convert.describe(first)}.'
            )
        given = [[value] for value in given]
    return tables.from_lists(schema, given, label)


def from_columns(schema: Schema, given: dict[str, Any], label: str) -> Rows:
    """Columns by name, each a list with one entry per row."""
    for name, values in given.items():
        if not isinstance(values, list):
            raise InvalidInputError(
                f'"{label}.{name}" must be a list with one entry per row, got {convert.describe(values)}.'
            )
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInputError(f'The columns of "{label}" must be equally long: {names.counts(lengths)}.')
    if not given or not next(iter(lengths.values())):
        raise InvalidInputError(f'"{label}" is empty; the model expects at least one row.')
    if isinstance(schema, Tensors):
        names.check({tensor.name for tensor in schema.tensors}, set(), given, label)
        return tensors.from_values(schema, {t.name: (given[t.name], f'"{label}.{t.name}"') for t in schema.tensors})
    return tables.from_columns(schema, given, lambda name, at: f'"{label}.{name}[{at}]"', label)


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
    names.once(columns, "columns")
    if isinstance(schema, Table) and not schema.free and schema.named is False and schema.width == len(columns):
        return from_rows(schema, data, label)
    given = {name: list(values) for name, values in zip(columns, zip(*data, strict=True), strict=True)}
    if isinstance(schema, Tensors):
        return from_columns(schema, given, label)
    return tables.from_columns(schema, given, lambda name, at: f'"{name}" in row {at} of "{label}"', label)


def from_tensors(schema: Schema, given: list[tensors.NamedTensor]) -> Rows:
    """Open Inference Protocol inputs: the schema's tensors, a matrix, or one tensor per column."""
    if not given:
        raise InvalidInputError('"inputs" is empty; the model expects at least one tensor.')
    by_name = {tensor.name: tensor for tensor in given}
    if len(by_name) < len(given):
        raise InvalidInputError('"inputs" names a tensor twice.')
    if isinstance(schema, Tensors):
        return tensors.from_named(schema, by_name)
    if schema.free:
        return tensors.as_they_are(by_name)
    if len(given) == 1 and _is_matrix(schema, given[0]):
        return tables.from_matrix(schema, given[0])
    if schema.named:
        return tables.from_tensors(schema, by_name)
    raise InvalidInputError(
        f"The model expects one input of shape [-1, {schema.width}], got {len(given)}: {names.listed(set(by_name))}."
    )


def _is_matrix(schema: Table, tensor: tensors.NamedTensor) -> bool:
    """Whether a lone tensor is the whole table, and not the only column of a table of one."""
    if not schema.named:
        return True
    return tensor.name not in schema.index and not (schema.width == 1 and len(tensor.shape) == 1)
