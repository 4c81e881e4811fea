"""Rows to compare an estimator and its graph on: its example, values that it was fitted on, and chance.

An estimator tells much about its values: a scaler its means, a tree its thresholds, an encoder its categories.
Comparing on a threshold itself, and beside it, finds the rounding that chance would miss.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Table
from ferryman_server.load import estimator as estimators
from ferryman_server.optimize import boosters

COUNT = 400
_SEED = 20
_THRESHOLDS = 64
_TREES = 20
_UNSEEN = "never seen"

Generator = np.random.Generator


def rows(table: Table, estimator: Any, example: Rows | None) -> list[Rows]:
    """Batches that the estimator should answer; each may be refused whole."""
    chance = np.random.default_rng(_SEED)
    known = interests(table, estimator)
    made = [_column(chance, column.kind, known[at]) for at, column in enumerate(table.columns)]
    if table.packed:
        batch = Rows((np.stack(made, axis=1).astype(table.packed.dtype),), COUNT)
    else:
        batch = Rows(tuple(made), COUNT)
    return [batch] if example is None else [example, batch]


def interests(table: Table, estimator: Any) -> list[list[Any]]:
    """For each column, values near which something happens."""
    found: list[list[Any]] = [[] for _ in table.columns]
    for part, columns in _seeing(estimator, list(range(table.width)), [column.name for column in table.columns]):
        for at, values in _told(part):
            found[columns[at]].extend(values)
    return found


def _seeing(estimator: Any, columns: list[int], names: list[str]) -> Iterator[tuple[Any, list[int]]]:
    """The parts that see columns as they come, not what another part made of them; and which columns."""
    for part in (estimator, *estimators.parts(estimator)):
        width = part.num_features() if hasattr(part, "num_features") else getattr(part, "n_features_in_", None)
        if width != len(columns):
            continue
        yield part, columns
        for _, inner, chosen in getattr(part, "transformers_", ()):
            if hasattr(inner, "fit") and isinstance(chosen, list):
                places = [columns[names.index(one) if isinstance(one, str) else int(one)] for one in chosen]
                yield from _seeing(inner, places, [names[at] for at in range(len(names)) if columns[at] in places])


def _told(part: Any) -> Iterator[tuple[int, list[Any]]]:
    """(column, values) as this part remembers them."""
    for center, spread in (("mean_", "scale_"), ("center_", "scale_"), ("data_min_", "data_range_")):
        middle, width = getattr(part, center, None), getattr(part, spread, None)
        if middle is not None and width is not None:
            pairs = zip(middle, width, strict=False)
            yield from ((at, [m - 2 * w, m, m + w, m + 3 * w]) for at, (m, w) in enumerate(pairs))
    for at, values in enumerate(getattr(part, "categories_", ())):
        yield at, list(values)
    yield from _thresholds(part)


def _thresholds(part: Any) -> Iterator[tuple[int, list[float]]]:
    if hasattr(part, "get_booster") or hasattr(part, "save_raw"):
        booster = part.get_booster() if hasattr(part, "get_booster") else part
        yield from islice(boosters.splits(booster), _TREES * _THRESHOLDS)
    for tree in list(chain.from_iterable(getattr(part, "_predictors", ())))[
        :_TREES
    ]:  # of boosted histograms, in FP64
        nodes = tree.nodes[tree.nodes["is_leaf"] == 0][:_THRESHOLDS]
        for at, exact in zip(nodes["feature_idx"], nodes["num_threshold"], strict=True):
            yield int(at), [float(exact), float(np.nextafter(exact, np.inf))]
    trees = [part] if hasattr(part, "tree_") else list(np.ravel(getattr(part, "estimators_", ())))[:_TREES]
    for one in trees:
        tree = getattr(one, "tree_", None)
        if tree is None:
            continue
        inner = np.flatnonzero(tree.feature >= 0)[:_THRESHOLDS]
        for at, threshold in zip(tree.feature[inner], tree.threshold[inner], strict=True):
            exact = float(np.float32(threshold))
            yield int(at), [exact, float(np.nextafter(np.float32(exact), np.float32(np.inf)))]


def _column(chance: Generator, kind: Kind, known: list[Any]) -> Array:
    if kind is Kind.BOOL:
        return chance.random(COUNT) < 0.5
    if kind is Kind.BYTES:
        return _words(chance, known)
    numbers = np.array([value for value in known if isinstance(value, int | float | np.number)], dtype=float)
    numbers = numbers[np.isfinite(numbers)]  # a tree that parts what is missing does it at infinity
    wide = chance.normal(size=COUNT) * 10.0 ** chance.integers(-2, 4, COUNT)
    if len(numbers):
        near = chance.choice(numbers, COUNT)
        spread = max(float(np.std(numbers)), 1e-3)
        kinds = chance.integers(0, 4, COUNT)
        wide = np.select([kinds == 0, kinds == 1], [near, wide], near + chance.normal(size=COUNT) * spread)
    if kind.is_integer:
        bounds: Any = np.iinfo(str(kind.dtype))
        wide = np.clip(np.round(wide), max(bounds.min, -(2**31)), min(bounds.max, 2**31 - 1))
    return wide.astype(kind.dtype)


def _words(chance: Generator, known: list[Any]) -> Array:
    words = [value for value in known if isinstance(value, str)] or ["", "a", "b"]
    return chance.choice(np.array(words, dtype=object), COUNT)


def odd(table: Table, batch: Rows) -> Iterator[tuple[str, Rows]]:
    """One row each with a value that estimators often refuse: what it is, and the row."""
    for at, column in enumerate(table.columns):
        odds: dict[str, Any] = {}
        kind = table.packed or column.kind
        if kind.is_float:
            odds = {"NaN": np.nan, "infinity": np.inf, "a value too large for FP32": 1e300}
        elif kind is Kind.BYTES:
            odds = {"an unseen word": _UNSEEN}
        if not column.required:
            odds["null"] = np.nan if kind.is_float else None
        for what, value in odds.items():
            if kind is not Kind.FP64 and what.endswith("FP32"):
                continue
            yield what, _spoilt(table, batch, at, value)


def _spoilt(table: Table, batch: Rows, at: int, value: Any) -> Rows:
    arrays = [array[:1].copy() for array in batch.arrays]
    if table.packed:
        arrays[0][0, at] = value
    else:
        arrays[at] = arrays[at].astype(object) if value is None else arrays[at]
        arrays[at][0] = value
    return Rows(tuple(arrays), 1)
