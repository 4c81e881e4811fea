"""The arrays that scikit-learn's compiled code walks through by the indices in them, without a look at bounds.

A file may hold any numbers. A child beyond the last node, a feature beyond the last column would be read from memory
that is not the model's; a child that is its own ancestor would be walked for ever. So each array is held against the
estimator that uses it, after the file is opened and before anything is predicted.
"""

import gc
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_NOTHING_IN = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    str,
    bytes,
    int,
    float,
    np.ufunc,
)
_NO_CHILD = -1


def fault(found: Any) -> str:
    """What an estimator has that its compiled code must not be given, or nothing."""
    parts = list(_parts(found))
    for family, sound, noun in _looks():
        for part in parts:
            if isinstance(part, family) and not _holds(sound, part):
                return f"{noun} ({type(part).__name__})"
    return ""


def _holds(sound: Callable[[Any], bool], part: Any) -> bool:
    try:
        return sound(part)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # it lacks what every fitted one has
        return False


def _parts(found: Any) -> Iterator[Any]:
    """Everything that a file has made, at any depth and however it is held."""
    seen, waiting = {id(found)}, [found]
    while waiting:
        one = waiting.pop()
        yield one
        objects = isinstance(one, np.ndarray) and one.dtype == object  # NumPy does not tell the collector of these
        for part in one.ravel().tolist() if objects else gc.get_referents(one):
            if id(part) not in seen and not isinstance(part, _NOTHING_IN):
                seen.add(id(part))
                waiting.append(part)


def _looks() -> list[tuple[Any, Callable[[Any], bool], str]]:
    """For each family that what must hold of it, and what to call it where it does not; in an order to rely on."""
    from sklearn.base import BaseEstimator  # noqa: PLC0415
    from sklearn.ensemble import (  # noqa: PLC0415
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        IsolationForest,
    )
    from sklearn.ensemble._forest import BaseForest  # noqa: PLC0415
    from sklearn.neighbors import BallTree, KDTree  # noqa: PLC0415
    from sklearn.tree import BaseDecisionTree  # noqa: PLC0415

    histograms = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    boosting = (GradientBoostingClassifier, GradientBoostingRegressor)
    return [
        (BaseEstimator, _keeps_its_methods, "an estimator with an attribute in the place of a method"),
        (BaseDecisionTree, _tree, "a decision tree whose nodes lead out of it"),
        ((BaseForest, *boosting), _forest, "trees of another width than their ensemble"),
        (IsolationForest, _isolation, "trees of another width than their ensemble"),
        (histograms, _histograms, "trees whose nodes lead out of them, or that split on categories"),
        ((KDTree, BallTree), _neighbours, "a tree of neighbours whose nodes lead out of it"),
        (boosting, _boosting, "another number of trees than of outputs, or a first guess that is an estimator"),
    ]


def _keeps_its_methods(one: Any) -> bool:
    """A method that checks the input must be the class's own."""
    return not any(callable(getattr(type(one), name, None)) for name in vars(one))


def _width(one: Any) -> int:
    width = one.n_features_in_
    if not isinstance(width, int | np.integer):
        raise TypeError(f"{width!r} is no number of features")
    return int(width)


# --- trees ----------------------------------------------------------------------------------------


def _inside(left: Any, right: Any, feature: Any, inner: Any, width: int) -> bool:
    """Whether each inner node leads to two later ones, and asks for a feature that there is."""
    at, count = np.arange(len(inner)), len(inner)
    good = (left > at) & (left < count) & (right > at) & (right < count) & (feature >= 0) & (feature < width)
    return count > 0 and bool(np.all(good | ~inner))


def _tree(one: Any) -> bool:
    from sklearn.tree._tree import Tree  # noqa: PLC0415

    if not hasattr(one, "tree_"):  # not fitted: an ensemble's pattern
        return True
    tree = one.tree_
    if not isinstance(tree, Tree) or not 1 <= tree.node_count <= tree.capacity or tree.n_features != _width(one):
        return False
    left, right = tree.children_left, tree.children_right
    return _inside(left, right, tree.feature, left != _NO_CHILD, tree.n_features)


def _forest(one: Any) -> bool:
    return not hasattr(one, "estimators_") or _fit(one.estimators_, [_width(one)] * len(one.estimators_))


def _isolation(one: Any) -> bool:
    if not hasattr(one, "estimators_"):
        return True
    every, width = one.estimators_, _width(one)
    if one._max_features == width:
        return _fit(every, [width] * len(every))
    return _fit(every, [len(features) for features in one.estimators_features_])


def _fit(every: Any, widths: list[int]) -> bool:
    """Whether all are fitted trees that ask for no column beyond those that they are given."""
    from sklearn.tree import BaseDecisionTree  # noqa: PLC0415

    return all(
        isinstance(tree, BaseDecisionTree) and hasattr(tree, "tree_") and _width(tree) <= width
        for group, width in zip(every, widths, strict=True)
        for tree in (group if isinstance(group, np.ndarray) else [group])
    )


def _boosting(one: Any) -> bool:
    """Predictions are added up in place, a column for each tree of a round: the first guess must have as many."""
    from sklearn.dummy import DummyClassifier, DummyRegressor  # noqa: PLC0415

    if not hasattr(one, "estimators_"):
        return True
    guess = one.init_
    if not isinstance(guess, DummyClassifier | DummyRegressor) and not (isinstance(guess, str) and guess == "zero"):
        return False
    first = one._raw_predict_init(np.zeros((1, _width(one)), dtype=np.float32))
    return one.estimators_.ndim == 2 and bool(first.shape == (1, one.estimators_.shape[1]))


def _histograms(one: Any) -> bool:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE  # noqa: PLC0415

    if not hasattr(one, "_predictors"):
        return True
    # Categories have tables of bits beside the nodes, which are indexed by values of the file, too.
    if one._preprocessor is not None or np.any(one._bin_mapper.is_categorical_) or getattr(one, "_in_fit", False):
        return False
    every = [tree.nodes for group in one._predictors for tree in group]
    return all(
        isinstance(nodes, np.ndarray)
        and nodes.ndim == 1
        and nodes.dtype == PREDICTOR_RECORD_DTYPE
        and not nodes["is_categorical"].any()
        and _inside(
            nodes["left"].astype(np.int64),
            nodes["right"].astype(np.int64),
            nodes["feature_idx"],
            nodes["is_leaf"] == 0,
            _width(one),
        )
        for nodes in every
    )


def _neighbours(one: Any) -> bool:
    from sklearn.metrics._dist_metrics import DistanceMetric64  # noqa: PLC0415
    from sklearn.neighbors import KDTree  # noqa: PLC0415

    data, places, nodes, bounds, _, _, count, *_, metric, weights = one.__getstate__()
    rows, width = data.shape
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    return bool(
        isinstance(metric, DistanceMetric64)
        and rows > 0
        and places.shape == (rows,)
        and np.all((places >= 0) & (places < rows))
        and count == len(nodes) > 0
        and bounds.shape == (2 if isinstance(one, KDTree) else 1, count, width)
        and np.all((nodes["idx_start"] >= 0) & (nodes["idx_start"] <= nodes["idx_end"]) & (nodes["idx_end"] <= rows))
        and np.all(2 * inner + 2 < count)
        and (weights is None or weights.shape == (rows,))
    )
