"""Which models take the rows of several clients at once: those of which it is known that each row has its own."""

import joblib
import numpy as np
import pytest
from onnx import TensorProto, helper, save
from server import plain
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, minmax_scale

from ferryman_server.dataplane import rows as flows
from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import estimator

_FLOWERS, _KINDS = load_iris(return_X_y=True)


class Centred(TransformerMixin, BaseEstimator):
    """A user's own step, which looks from one row at another."""

    def fit(self, data, kinds=None):
        self.n_features_in_ = data.shape[1]
        return self

    def transform(self, data):
        return data - data.mean(axis=0)


def _distance(one, other):
    return abs(one - other).sum()


def _fitted(found):
    return found.fit(_FLOWERS, _KINDS)


_ESTIMATORS = {
    "a pipeline": (make_pipeline(StandardScaler(), LogisticRegression()), True),
    "a forest": (RandomForestClassifier(3), True),
    "columns": (make_pipeline(make_column_transformer((StandardScaler(), [0, 1])), LogisticRegression()), True),
    "a library's own function": (make_pipeline(SelectKBest(k=2), LogisticRegression()), True),
    "a search": (GridSearchCV(LogisticRegression(), {"C": [1, 2]}), True),
    "NumPy's element by element": (make_pipeline(FunctionTransformer(np.log1p), LinearRegression()), True),
    "its inverse": (TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1), True),
    "a function over rows": (make_pipeline(FunctionTransformer(minmax_scale), LinearRegression()), False),
    "a function in columns": (
        make_pipeline(make_column_transformer((FunctionTransformer(minmax_scale), [0, 1])), LinearRegression()),
        False,
    ),
    "a class": (make_pipeline(Centred(), LinearRegression()), False),
    "a class within": (GridSearchCV(make_pipeline(Centred(), LogisticRegression()), {}), False),
    "a metric": (KNeighborsClassifier(metric=_distance), False),
}


@pytest.mark.parametrize(("made", "alone"), _ESTIMATORS.values(), ids=_ESTIMATORS)
def test_rows_met_those_of_other_clients_in_a_users_code(made, alone):
    assert estimator.row_by_row(_fitted(made)) is alone


def test_a_clients_rows_were_scaled_by_anothers(tmp_path):
    fitted = _fitted(make_pipeline(FunctionTransformer(minmax_scale), LinearRegression()))
    joblib.dump(fitted, tmp_path / "model.joblib")
    model = plain.load(tmp_path)
    mine, anothers = Rows((_FLOWERS[:3],), 3), Rows((_FLOWERS[100:103],), 3)

    together = flows.split(model.predict(flows.join([mine, anothers])), [3, 3])[0]

    assert not np.allclose(together["predict"], model.predict(mine)["predict"])
    assert not model.batches


# --- ONNX -----------------------------------------------------------------------------------------


def _graph(directory, given, said, node):
    """A graph of float tensors: names with shapes in, names with shapes out."""
    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in some.items()]
        for some in (given, said)
    ]
    graph = helper.make_graph([node], "g", *values)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), directory / "model.onnx"
    )
    return plain.load(directory)


_ADD = helper.make_node("Add", ["a", "b"], ["c"])
_GRAPHS = {
    "a batch": ({"a": ["batch", 2], "b": ["batch", 2]}, {"c": ["batch", 2]}, _ADD, True),
    "nameless rows": ({"a": [None, 2], "b": [None, 2]}, {"c": [None, 2]}, _ADD, True),
    "two sizes in": ({"a": ["n", 2], "b": ["m", 2]}, {"c": ["n", 2]}, _ADD, False),
    "another size out": ({"a": ["n", 2], "b": ["n", 2]}, {"c": ["k", 2]}, _ADD, False),
    "a fixed size in": ({"a": ["n", 2], "b": [1, 2]}, {"c": ["n", 2]}, _ADD, False),
    "a mean over all": (
        {"a": ["n", 2]},
        {"c": [1, 2]},
        helper.make_node("ReduceMean", ["a"], ["c"], axes=[0]),
        False,
    ),
    "a sum of all": ({"a": ["n", 2]}, {"c": []}, helper.make_node("ReduceSum", ["a"], ["c"], keepdims=0), False),
}


@pytest.mark.parametrize(("given", "said", "node", "together"), _GRAPHS.values(), ids=_GRAPHS)
def test_rows_met_those_of_other_clients_in_a_graph_that_looks_at_all(tmp_path, given, said, node, together):
    assert _graph(tmp_path, given, said, node).batches is together


@pytest.mark.parametrize("name", ["onnx", "onnx_columns", "mlflow_onnx", "xgboost", "lightgbm", "mlflow_sklearn"])
def test_models_of_rows_still_take_those_of_several_clients_at_once(shelf, name):
    assert plain.load(getattr(shelf, name)()).batches
