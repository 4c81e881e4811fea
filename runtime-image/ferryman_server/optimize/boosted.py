"""Makes a converted ensemble of boosted histograms exact: thresholds and leaves in FP64, as scikit-learn has them.

The converter writes them in FP32, and a value that lies between the two goes another way.
"""

from itertools import chain
from typing import Any

import numpy as np

from ferryman_server.load import estimator as estimators

_SINCE = 3
"""The version of the trees' domain that knows FP64; the converter says 1, with which it means the same."""


def exact(graph: Any, estimator: Any) -> None:
    """Mend the ensemble of a graph of doubles, in place; what is not boosted histograms stays as it is."""
    part = next((one for one in (estimator, *estimators.parts(estimator)) if hasattr(one, "_predictors")), None)
    if part is None:
        return
    trees = [tree.nodes for tree in chain.from_iterable(part._predictors)]
    for node in graph.graph.node:
        told = {attribute.name: attribute for attribute in node.attribute}
        if "nodes_values" not in told or len(told["nodes_treeids"].ints) != sum(len(tree) for tree in trees):
            continue
        _widen(node, told["nodes_values"], _of(trees, told, "nodes", "num_threshold"))
        leaves = "class" if "class_weights" in told else "target"
        _widen(node, told[f"{leaves}_weights"], _of(trees, told, leaves, "value"))
        if "base_values" in told:
            _widen(node, told["base_values"], np.ravel(part._baseline_prediction).astype(np.float64))
        for one in graph.opset_import:
            one.version = _SINCE if one.domain == "ai.onnx.ml" else one.version


def _of(trees: list[Any], told: dict[str, Any], what: str, field: str) -> Any:
    places = zip(told[f"{what}_treeids"].ints, told[f"{what}_nodeids"].ints, strict=True)
    return np.array([trees[tree][field][at] for tree, at in places], dtype=np.float64)


def _widen(node: Any, rough: Any, exact: Any) -> None:
    """Replace an attribute of FP32 by its counterpart of FP64, if it is the same but for the rounding."""
    from onnx import helper, numpy_helper  # noqa: PLC0415 - only the converting process has it in memory

    if not np.array_equal(np.array(rough.floats, dtype=np.float32), exact.astype(np.float32)):
        raise ValueError(f"{rough.name} of its graph are not those of its trees")
    name = f"{rough.name}_as_tensor"
    node.attribute.remove(rough)
    node.attribute.append(helper.make_attribute(name, numpy_helper.from_array(exact, name)))
