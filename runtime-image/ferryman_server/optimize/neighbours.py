"""Rows of a model's own data: its input example and the requests that were recorded, and rows near them.

A net in smaller numbers is good where its data is. On chance rows it proves nothing, so there are none here.
"""

import numpy as np

from ferryman_server import recorded
from ferryman_server.dataplane import rows as flows
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.load import context as contexts
from ferryman_server.load import example as examples

ROWS = 400
"""With noise, about; fewer where rows are large."""
_ELEMENTS = 20_000_000
_NOISE = 0.05
"""Of the spread of a number over the rows; of the number itself where there is only one row."""
_SEED = 20


def known(model: Model, context: contexts.Context) -> list[Rows]:
    """What is known of the data, in batches that the model takes."""
    example = examples.rows(model.schema, context.root)
    batches = [] if example is None else [example]
    file = recorded.find(context.root, context.recording, context.model)
    if file is not None:
        batches += recorded.rows(file, model.schema, context.model)
    good = [batch for batch in batches if _taken(model, batch)]
    return _merged(good) if model.batches else good


def _taken(model: Model, batch: Rows) -> bool:
    try:
        model.predict(batch)
    except (ValueError, RuntimeError, InvalidInputError):  # what the graph refuses proves nothing
        return False
    return True


def _merged(batches: list[Rows]) -> list[Rows]:
    together: list[list[Rows]] = []
    for batch in batches:
        group = next((one for one in together if one[0].fits(batch)), None)
        if group is None:
            together.append([batch])
        else:
            group.append(batch)
    return [flows.join(group) for group in together]


def near(batches: list[Rows]) -> list[Rows]:
    """The same with noise, again and again; none where nothing is a real number."""
    if not any(array.dtype.kind == "f" for batch in batches for array in batch.arrays):
        return []
    chance = np.random.default_rng(_SEED)
    count = sum(batch.count for batch in batches)
    elements = sum(array.size for batch in batches for array in batch.arrays)
    rounds = max(1, min(-(-ROWS // count), _ELEMENTS // elements))
    return [_noisy(batch, chance) for _ in range(rounds) for batch in batches]


def _noisy(batch: Rows, chance: np.random.Generator) -> Rows:
    return Rows(tuple(_shaken(array, chance) for array in batch.arrays), batch.count, batch.names)


def _shaken(array: Array, chance: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    numbers = array.astype(np.float64)
    spread = np.nanstd(numbers, axis=0) if len(array) > 1 else np.abs(numbers)
    return (numbers + chance.normal(size=array.shape) * spread * _NOISE).astype(array.dtype)
