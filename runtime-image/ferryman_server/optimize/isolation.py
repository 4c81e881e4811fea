"""An isolation forest as one ensemble of trees: how deep a row falls in all of them, and whether that is too little.

The converter has an answer of its own, with twenty steps for each tree, in FP32 only, and without a thought for
missing values. Here the depths are the leaves' numbers, so that the ensemble adds them up.
"""

from typing import Any

import numpy as np

from ferryman_server.optimize import maker

_GRAIN = 1024.0
"""What an ensemble adds up comes out in FP32: parts of this size come out whole, and what is left of them apart."""
_ON_IT = 1e-11
"""With a share of outliers asked for, the limit is the score of a row of the data. That row is no outlier, and must
be none here, where the same numbers are added up in another order."""


def register() -> None:
    """Tell the converter, once in its process."""
    import skl2onnx  # noqa: PLC0415 - only the converting process pays for these
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    skl2onnx.update_registered_converter(
        IsolationForest, "WholeIsolationForest", _shapes, _convert, options={"score_samples": [False]}
    )


def _shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType  # noqa: PLC0415

    label, decision = operator.outputs
    label.type, decision.type = Int64TensorType([None, 1]), DoubleTensorType([None, 1])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    forest = operator.raw_operator
    most = forest._max_samples
    label, decision = (one.full_name for one in operator.outputs)
    if most < 2:
        raise NotImplementedError("an isolation forest of single samples")
    made = maker.Maker(scope, container)
    depths = made.node(
        "TreeEnsembleRegressor",
        [operator.inputs[0].full_name],
        op_domain="ai.onnx.ml",
        op_version=3,
        **_trees(forest),
    )
    depths = made.node("Cast", [depths], to=maker.DOUBLE)
    depth = made.node("ReduceSum", [depths, made.constant(1, maker.INT64)], keepdims=1)
    share = made.node("Div", [depth, made.constant(-len(forest.estimators_) * usual_depth(most))])
    score = made.node("Pow", [made.constant(2.0), share])
    made.node("Sub", [made.node("Neg", [score]), made.constant(forest.offset_)], decision)
    odd = made.node("Less", [decision, made.constant(-_ON_IT)])
    made.node("Where", [odd, made.constant(-1, maker.INT64), made.constant(1, maker.INT64)], label)


def usual_depth(samples: int) -> float:
    """How deep a row falls on average in a tree of so many samples, as scikit-learn counts."""
    from sklearn.ensemble._iforest import _average_path_length  # noqa: PLC0415

    return float(_average_path_length([samples])[0])


def _trees(forest: Any) -> dict[str, Any]:
    """The attributes of the ensemble; where missing values go is put right with all other ensembles' (`trees`)."""
    from onnx import numpy_helper  # noqa: PLC0415

    nodes: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids")
    }
    targets: dict[str, list[int]] = {name: [] for name in ("treeids", "nodeids", "ids")}
    thresholds, weights = [], []
    for at, (one, features) in enumerate(zip(forest.estimators_, forest.estimators_features_, strict=True)):
        tree = one.tree_
        leaf = tree.children_left < 0
        count = tree.node_count
        nodes["treeids"] += [at] * count
        nodes["nodeids"] += range(count)
        nodes["featureids"] += np.where(leaf, 0, np.asarray(features)[np.where(leaf, 0, tree.feature)]).tolist()
        nodes["modes"] += np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
        nodes["truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
        nodes["falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
        thresholds.append(np.where(leaf, 0.0, tree.threshold))
        depth = forest._decision_path_lengths[at] + forest._average_path_length_per_tree[at] - 1.0
        whole = np.round(depth * _GRAIN) / _GRAIN
        for place in np.flatnonzero(leaf).tolist():
            targets["treeids"] += [at, at]
            targets["nodeids"] += [place, place]
            targets["ids"] += [0, 1]
            weights += [whole[place], depth[place] - whole[place]]
    return {
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"target_{name}": values for name, values in targets.items()},
        "nodes_values_as_tensor": numpy_helper.from_array(np.concatenate(thresholds), "thresholds"),
        "target_weights_as_tensor": numpy_helper.from_array(np.array(weights), "depths"),
        "n_targets": 2,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }
