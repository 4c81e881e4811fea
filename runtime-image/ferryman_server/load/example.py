"""Rows to try a model on before anybody asks: the artefact's own input example, or some made from its schema."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server.dataplane import text as texts
from ferryman_server.dataplane import validate
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensors
from ferryman_server.dataplane.text import Text

_SERVING_EXAMPLE = "serving_input_example.json"
_LARGEST = 1_000_000  # elements; beyond that a made-up tensor would be the load it wants to spare us


def rows(schema: Schema, root: Path) -> Rows | None:
    """The rows that MLflow kept beside the model, if they are of a shape that the schema knows."""
    try:
        given = json.loads((root / _SERVING_EXAMPLE).read_text(encoding="utf-8"))
        return _read(schema, given)
    except (OSError, ValueError, InvalidInputError):  # absent, or of a shape that the model defines itself
        return None


def _read(schema: Schema, given: dict[str, Any]) -> Rows | None:
    match given:
        case {"dataframe_split": {"columns": columns, "data": data}}:
            return validate.from_split(schema, [str(column) for column in columns], data, "data")
        case {"inputs": dict() as inputs} if all(isinstance(value, list) for value in inputs.values()):
            return validate.from_columns(schema, inputs, "inputs")
        case {"inputs": list() as inputs} | {"instances": list() as inputs}:
            return validate.from_rows(schema, inputs, "inputs")
        case _:
            return None


def made_up(schema: Schema) -> Rows | None:
    """One row of zeros and empty strings, if the schema says how wide."""
    if isinstance(schema, Tensors):
        shapes = [tuple(1 if size < 0 else size for size in tensor.shape) for tensor in schema.tensors]
        if any(np.prod(shape) > _LARGEST for shape in shapes):
            return None
        arrays = tuple(
            _zeros(shape, tensor.kind, tensor.text) for shape, tensor in zip(shapes, schema.tensors, strict=True)
        )
        return Rows(arrays, shapes[0][0] if shapes[0] else 1)
    if schema.free:
        return None
    if schema.packed:
        return Rows((_zeros((1, schema.width), schema.packed),), 1)
    return Rows(tuple(_zeros((1,), column.kind, column.text) for column in schema.columns), 1)


def _zeros(shape: tuple[int, ...], kind: Kind, text: Text = Text.UTF8) -> Array:
    return (
        np.full(shape, texts.read("", text), dtype=object)
        if kind is Kind.BYTES
        else np.zeros(shape, dtype=kind.dtype)
    )
