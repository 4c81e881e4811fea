"""Requests to rows: every shape in which clients write tables and tensors, checked against the schema.

Each refusal names the input, what was expected and what came. `label` is how the protocol calls the
list it found ("instances", "data"), so that a client recognises its own words.
"""

from typing import Any

from ferryman_server.dataplane import convert, names, tables, tensors
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
    if isinstance(first, dict):
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
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise InvalidInputError(f'The columns of "{label}" must be equally long: {told}.')
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
        if len(schema.tensors) == len(given) == 1:  # a lone input needs no name
            by_name = {schema.tensors[0].name: given[0]}
        names.check({tensor.name for tensor in schema.tensors}, set(), by_name, "inputs")
        return tensors.together(
            [tensors.array(by_name[wanted.name], wanted.kind, wanted.shape) for wanted in schema.tensors]
        )
    only = given[0]
    if schema.free:
        return tensors.together(
            [tensors.array(t, t.kind, (-1,) * len(t.shape)) for t in given], tuple(by_name) if len(given) > 1 else ()
        )
    if len(given) == 1 and not (schema.width == 1 and len(only.shape) == 1) and only.name not in schema.index:
        return tables.from_matrix(schema, only)
    if not schema.named and len(given) > 1:
        raise InvalidInputError(
            f"The model expects one input of shape [-1, {schema.width}], got {len(given)}: {', '.join(by_name)}."
        )
    if not schema.named:
        return tables.from_matrix(schema, only)
    optional = {column.name for column in schema.columns if not column.required}
    names.check(set(schema.index), optional, by_name, "inputs")
    arrays = {}
    for column in schema.columns:
        if column.name in by_name:
            tensor = by_name[column.name]
            shape = (-1, 1) if len(tensor.shape) == 2 else (-1,)
            arrays[column.name] = tensors.array(tensor, schema.packed or column.kind, shape).reshape(-1)
    return tables.assemble(schema, arrays)
