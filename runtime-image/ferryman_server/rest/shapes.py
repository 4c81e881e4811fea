"""JSON Schema of what a model takes and gives, from its own schema: for people's tools, never to validate with."""

from typing import Any

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Schema, Table, Tensor, Tensors

Json = dict[str, Any]


def value(kind: Kind, *, nullable: bool = False) -> Json:
    """One element; null is NaN where the type has one, and nothing where the column may be absent."""
    if kind.is_float:
        return {"type": ["number", "null"], "format": "double" if kind is Kind.FP64 else "float"}
    if kind.is_integer:
        bits = int(kind.value.removeprefix("U").removeprefix("INT"))
        low, high = (0, 2**bits - 1) if kind.value.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        found: Json = {"type": "integer", "minimum": low, "maximum": high}
    else:
        found = {"type": "boolean" if kind is Kind.BOOL else "string"}
    return {**found, "type": [found["type"], "null"]} if nullable else found


def tensor(wanted: Tensor, *, skip: int = 0) -> Json:
    """Nested lists of its shape; `skip` leaves out the first dimensions, for one row of it."""
    found = value(wanted.kind)
    for size in reversed(wanted.shape[skip:]):
        found = {"type": "array", "items": found, **({} if size < 0 else {"minItems": size, "maxItems": size})}
    return found


def row(schema: Schema) -> Json:
    """One row, in any of the forms that it may have."""
    if isinstance(schema, Tensors):
        parts = {one.name: tensor(one, skip=1) for one in schema.tensors}
        by_name = _object(parts, list(parts))
        return {"anyOf": [next(iter(parts.values())), by_name]} if len(parts) == 1 else by_name
    if schema.free:
        return {}
    plain = _list(schema)
    if not schema.named:
        return plain
    columns = {one.name: value(schema.packed or one.kind, nullable=not one.required) for one in schema.columns}
    return {"anyOf": [_object(columns, [one.name for one in schema.columns if one.required]), plain]}


def rows(schema: Schema) -> Json:
    """At least one row, all in one form: the first tells how the others are read."""
    one = row(schema)
    forms = one.get("anyOf", [one])
    lists: list[Json] = [{"type": "array", "items": form, "minItems": 1} for form in forms]
    return lists[0] if len(lists) == 1 else {"anyOf": lists}


def columns(schema: Schema) -> Json:
    """All rows at once, by column or by tensor."""
    if isinstance(schema, Tensors):
        parts = {one.name: {"minItems": 1, **tensor(one)} for one in schema.tensors}
        return _object(parts, list(parts))
    if schema.free or not schema.named:
        return rows(schema)
    lists = {
        one.name: {
            "type": "array",
            "items": value(schema.packed or one.kind, nullable=not one.required),
            "minItems": 1,
        }
        for one in schema.columns
    }
    return _object(lists, [one.name for one in schema.columns if one.required])


def _list(schema: Table) -> Json:
    if schema.packed:
        return {
            "type": "array",
            "items": value(schema.packed),
            "minItems": schema.width,
            "maxItems": schema.width,
        }
    each = [value(one.kind, nullable=not one.required) for one in schema.columns]
    return {"type": "array", "prefixItems": each, "items": False, "minItems": schema.width}


def _object(properties: Json, required: list[str]) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def prediction(outputs: tuple[Tensor, ...]) -> Json:
    """One row of the answer: a value, or an object when there are several outputs."""
    if not outputs:
        return {}
    parts = {one.name: tensor(one, skip=1) for one in outputs}
    return next(iter(parts.values())) if len(parts) == 1 else _object(parts, list(parts))
