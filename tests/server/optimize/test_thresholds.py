"""Values on which a tree divides, and beside them: a graph sends them where scikit-learn does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server.optimize.estimators import INPUTS, TARGETS, alike, both, outcome
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import onnx_file
from ferryman_server.optimize import graph, samples


def beside_thresholds(estimator: Any) -> Any:
    """Rows that have, in one column each, a value on which a tree of boosted histograms divides, or its neighbour."""
    rows = []
    for tree in (tree for iteration in estimator._predictors for tree in iteration):
        nodes = tree.nodes[tree.nodes["is_leaf"] == 0]
        for at, threshold in zip(nodes["feature_idx"], nodes["num_threshold"], strict=True):
            for value in (threshold, np.nextafter(threshold, np.inf), float(np.float32(threshold))):
                rows.append(np.zeros(estimator.n_features_in_))
                rows[-1][at] = value
    return np.array(rows)


def test_values_beside_a_threshold_go_the_way_that_boosted_histograms_send_them(tmp_path: Path) -> None:
    estimator = HistGradientBoostingRegressor(max_iter=8, random_state=0).fit(INPUTS, TARGETS)
    converted, native = both(estimator, tmp_path)
    rows = beside_thresholds(estimator)

    assert converted.optimization is not None
    assert converted.optimization.runtime == "onnx", converted.optimization.why
    assert alike(outcome(native, Rows((rows,), len(rows))), outcome(converted, Rows((rows,), len(rows))))


def test_thresholds_of_boosted_histograms_are_among_the_rows_that_are_compared(tmp_path: Path) -> None:
    estimator = HistGradientBoostingRegressor(max_iter=1, max_leaf_nodes=2, random_state=0).fit(INPUTS, TARGETS)
    _, native = both(estimator, tmp_path)
    nodes = estimator._predictors[0][0].nodes

    known = samples.interests(native.schema, estimator)

    assert known[nodes["feature_idx"][0]] == [
        nodes["num_threshold"][0],
        np.nextafter(nodes["num_threshold"][0], np.inf),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_row_that_is_the_limit_of_an_isolation_forest_is_on_the_same_side(seed: int, tmp_path: Path) -> None:
    data = np.random.default_rng(seed).normal(size=(401, 5))  # a tenth of the other 400: the 40th is the limit itself
    estimator = IsolationForest(n_estimators=30, contamination=0.1, random_state=seed).fit(data)
    types = graph.order(schemas.matrix(5))[0]
    made = graph.convert(estimator, schemas.matrix(5), types)

    [label] = onnx_file.session(made, 1).run(None, {"input": data})

    assert (estimator.decision_function(data) == 0).any()
    assert label.ravel().tolist() == estimator.predict(data).tolist()
