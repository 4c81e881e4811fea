"""XGBoost's trees as an ONNX ensemble, alone or as a step of a pipeline; what answers with something else is refused.

XGBoost rounds a value to FP32, goes left where it is below a threshold, and adds up the leaves in FP32. The ensemble
does all of that; a link turns the sum into what the objective means by it.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ferryman_server.optimize.maker import DOUBLE, FLOAT, INT64, Maker

_IDENTITY = (
    "binary:logitraw",
    "reg:squarederror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
)
_LINKS = {
    **dict.fromkeys(_IDENTITY, ""),
    **dict.fromkeys(("rank:pairwise", "rank:ndcg", "rank:map"), ""),
    **dict.fromkeys(("binary:logistic", "reg:logistic"), "Sigmoid"),
    **dict.fromkeys(("multi:softprob",), "Softmax"),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), "Exp"),
}
_NODES = (
    "treeids",
    "nodeids",
    "featureids",
    "modes",
    "values",
    "truenodeids",
    "falsenodeids",
    "missing_value_tracks_true",
)
_BEFORE: dict[str, Callable[[Any], Any]] = {"Sigmoid": lambda score: np.log(score / (1 - score)), "Exp": np.log}
"""What a base score is before the link: it is kept as a value after it."""


class Booster:
    """A trained booster as its own JSON tells it; the first `rounds` of it count, or all."""

    def __init__(self, booster: Any, rounds: int = 0) -> None:
        learner = json.loads(booster.save_raw("json"))["learner"]
        model = learner["gradient_booster"].get("model", {})
        self.objective: str = learner["objective"]["name"]
        if learner["gradient_booster"]["name"] != "gbtree" or self.objective not in _LINKS:
            kind = learner["gradient_booster"]["name"]
            raise NotImplementedError(f"its graph is not known for {kind} with {self.objective}")
        count = model["iteration_indptr"][rounds] if rounds else len(model["trees"])
        self.trees: list[dict[str, Any]] = model["trees"][:count]
        self.outputs: list[int] = model["tree_info"][:count]
        self.link = _LINKS[self.objective]
        self.width = max(model["tree_info"]) + 1
        told = learner["learner_model_param"]["base_score"].strip("[]").split(",")
        base = np.array([float(one) for one in told])
        self.base = np.broadcast_to(_BEFORE.get(self.link, lambda score: score)(base), self.width).astype(np.float32)
        if any(any(tree["split_type"]) or tree["tree_param"]["size_leaf_vector"] not in "01" for tree in self.trees):
            raise NotImplementedError("its graph is not known for trees with categories or several values a leaf")


def splits(booster: Any) -> Iterator[tuple[int, list[float]]]:
    """(column, the value at which a tree divides and the last below it), tree by tree."""
    try:
        trees = Booster(booster).trees
    except NotImplementedError:
        return
    for tree in trees:
        inner = np.flatnonzero(np.array(tree["left_children"]) >= 0)
        for at in inner.tolist():
            value = np.float32(tree["split_conditions"][at])
            yield tree["split_indices"][at], [float(value), float(np.nextafter(value, np.float32(-np.inf)))]


class Alone(BaseEstimator):  # type: ignore[misc]
    """A booster that is no step and no class of scikit-learn's: it answers as its own `predict` does."""

    def __init__(self, booster: Any = None) -> None:
        self.booster = booster
        self.n_features_in_ = booster.num_features() if booster else 0

    def fit(self, *_: Any) -> "Alone":
        """Trained it is; the converter wants to see this."""
        return self


def register() -> None:
    """Tell the converter, once in its process."""
    from skl2onnx import update_registered_converter as update  # noqa: PLC0415 - only this process pays for it

    update(Alone, "BoosterAlone", _numbers, _alone)
    if "xgboost" not in sys.modules:  # then there is none in what shall be converted
        return
    import xgboost  # noqa: PLC0415

    options = {"zipmap": [False], "nocl": [True, False], "output_class_labels": [False, True], "raw_scores": [False]}
    update(xgboost.XGBClassifier, "BoosterOfClasses", _classes, _classifier, options=options)
    update(xgboost.XGBRegressor, "BoosterOfNumbers", _numbers, _regressor)


def rounds(estimator: Any) -> int:
    """How many count where training was stopped early; 0 for all."""
    best: int = getattr(estimator, "best_iteration", -1)
    return best + 1


# --- for the converter ----------------------------------------------------------------------------


def _numbers(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    operator.outputs[0].type = FloatTensorType([None, None])


def _classes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType  # noqa: PLC0415

    operator.outputs[0].type, operator.outputs[1].type = Int64TensorType([None]), FloatTensorType([None, None])


def _alone(scope: Any, operator: Any, container: Any) -> None:
    _value(Maker(scope, container), Booster(operator.raw_operator.booster), operator)


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    found = operator.raw_operator
    _value(Maker(scope, container), Booster(found.get_booster(), rounds(found)), operator)


def _value(made: Maker, booster: Booster, operator: Any) -> None:
    margin, answer = _margin(made, booster, operator), operator.outputs[0].full_name
    if booster.link == "Sigmoid":
        _probability(made, margin, answer)
        return
    made.node(booster.link or "Identity", [margin], answer, **({"axis": 1} if booster.link == "Softmax" else {}))


def _probability(made: Maker, margin: str, answer: str) -> None:
    """In FP64: ONNX Runtime's quick way to it in FP32 is rough where a probability is small."""
    made.node("Cast", [made.node("Sigmoid", [made.node("Cast", [margin], to=DOUBLE)])], answer, to=FLOAT)


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    """The class with the highest score; of two, the second where it has more than a half."""
    found = operator.raw_operator
    if not np.isnan(found.missing) or list(found.classes_) != list(range(len(found.classes_))):
        raise NotImplementedError("its graph is not known for classes other than 0, 1, ...")
    booster = Booster(found.get_booster(), rounds(found))
    made = Maker(scope, container)
    label, scores = (one.full_name for one in operator.outputs)
    margin = _margin(made, booster, operator)
    if booster.link == "Softmax":
        made.node("Softmax", [margin], scores, axis=1)
        made.node("ArgMax", [margin], label, axis=1, keepdims=0)
        return
    if booster.link != "Sigmoid" or booster.width > 1:
        raise NotImplementedError(f"its graph is not known for classes by {booster.objective}")
    _probability(made, margin, scores)
    second = made.node("Greater", [scores, made.constant(0.5, FLOAT)])
    whole = made.node("Cast", [second], to=INT64)
    made.node("Reshape", [whole, made.constant(-1, INT64)], label)


def _margin(made: Maker, booster: Booster, operator: Any) -> str:
    """The sum of the leaves, one column for each output."""
    rounded = made.node("Cast", [operator.inputs[0].full_name], to=FLOAT)
    return made.node("TreeEnsembleRegressor", [rounded], op_domain="ai.onnx.ml", op_version=1, **_attributes(booster))


def _attributes(booster: Booster) -> dict[str, Any]:
    nodes: dict[str, list[Any]] = {name: [] for name in _NODES}
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    _first_leaf(nodes, leaves, booster.base.tolist())
    for at, (tree, output) in enumerate(zip(booster.trees, booster.outputs, strict=True), start=1):
        left = np.array(tree["left_children"])
        leaf, count = left < 0, len(left)
        values = np.array(tree["split_conditions"], dtype=np.float32)
        nodes["treeids"] += [at] * count
        nodes["nodeids"] += range(count)
        nodes["featureids"] += np.where(leaf, 0, tree["split_indices"]).tolist()
        nodes["modes"] += np.where(leaf, "LEAF", "BRANCH_LT").tolist()
        nodes["values"] += np.where(leaf, np.float32(0), values).tolist()
        nodes["truenodeids"] += np.where(leaf, 0, left).tolist()
        nodes["falsenodeids"] += np.where(leaf, 0, tree["right_children"]).tolist()
        nodes["missing_value_tracks_true"] += np.where(leaf, 0, tree["default_left"]).tolist()
        places = np.flatnonzero(leaf).tolist()
        leaves["treeids"] += [at] * len(places)
        leaves["nodeids"] += places
        leaves["ids"] += [output] * len(places)
        leaves["weights"] += values[places].tolist()
    return {
        **{f"nodes_{name}": found for name, found in nodes.items()},
        **{f"target_{name}": found for name, found in leaves.items()},
        "n_targets": booster.width,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _first_leaf(nodes: dict[str, list[Any]], leaves: dict[str, list[Any]], base: list[float]) -> None:
    """A tree of one leaf: XGBoost begins to add at the base, an ensemble ends there, and last bits would differ."""
    for name in _NODES:
        nodes[name].append("LEAF" if name == "modes" else 0.0 if name == "values" else 0)
    for output, value in enumerate(base):
        for name, one in (("treeids", 0), ("nodeids", 0), ("ids", output), ("weights", value)):
            leaves[name].append(one)
