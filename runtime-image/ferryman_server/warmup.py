"""Predictions before the first real one: page in, compile, allocate, while nobody waits.

The artefact's own input example comes first: a model that cannot predict its own example is broken,
and the candidate must not get traffic. Without one, rows are made from the schema; those may be
values that the model rightly refuses, so only an error that no value could mend counts.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server import log
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane import validate
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensor, Tensors
from ferryman_server.reason import FatalError, Reason, first_line

_SERVING_EXAMPLE = "serving_input_example.json"
_LARGEST = 1_000_000  # elements; beyond that a made-up tensor would be the load it wants to spare us
_BROKEN = (AttributeError, ImportError, NotImplementedError, MemoryError)


@dataclass(frozen=True, slots=True)
class Warm:
    """How many predictions were made, and what the model's outputs turned out to be."""

    predictions: int
    outputs: tuple[Tensor, ...] = ()


def run(model: Model, root: Path, requests: int, name: str) -> Warm:
    """Predict `requests` times."""
    if requests == 0:
        return Warm(0)
    example = _example(model.schema, root)
    rows = example or made_up(model.schema)
    if rows is None:
        log.line(f'Model "{name}" has neither an example nor a schema to make one from; it starts cold')
        return Warm(0)
    answer: Answer = {}
    for done in range(requests):
        try:
            answer = model.predict(rows)
        except Exception as error:
            if example is None and not isinstance(error, _BROKEN):
                log.line(f'Model "{name}" refused a made-up row ({first_line(error)}); it starts cold')
                return Warm(done)
            what = "its own input example" if example else "a row of its schema"
            raise FatalError(
                Reason.WARMUP_FAILED,
                f'Model "{name}" cannot predict {what}: {type(error).__name__}: {first_line(error)}; '
                "check it with the server's package versions.",
            ) from error
    return Warm(
        requests, tuple(Tensor(one, kinds.of(array), (-1, *array.shape[1:])) for one, array in answer.items())
    )


def _example(schema: Schema, root: Path) -> Rows | None:
    try:
        given = json.loads((root / _SERVING_EXAMPLE).read_text(encoding="utf-8"))
        return _rows(schema, given)
    except (OSError, ValueError, InvalidInputError):  # absent, or of a shape that the model defines itself
        return None


def _rows(schema: Schema, given: dict[str, Any]) -> Rows | None:
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
        arrays = tuple(_zeros(shape, tensor.kind) for shape, tensor in zip(shapes, schema.tensors, strict=True))
        return Rows(arrays, shapes[0][0] if shapes[0] else 1)
    if schema.free:
        return None
    if schema.packed:
        return Rows((_zeros((1, schema.width), schema.packed),), 1)
    return Rows(tuple(_zeros((1,), column.kind) for column in schema.columns), 1)


def _zeros(shape: tuple[int, ...], kind: Kind) -> Array:
    return np.full(shape, "", dtype=object) if kind is Kind.BYTES else np.zeros(shape, dtype=kind.dtype)
