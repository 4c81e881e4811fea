"""Every format that users have, opened and asked the same question: three flowers, three kinds."""

import numpy as np
import pytest
from server import iris, plain

from ferryman_server import warmup
from ferryman_server.dataplane import validate

OPENERS = {
    "joblib": lambda shelf: shelf.joblib(),
    "skops": lambda shelf: shelf.skops(),
    "onnx": lambda shelf: shelf.onnx(),
    "onnx with an input a column": lambda shelf: shelf.onnx_columns(),
    "xgboost json": lambda shelf: shelf.xgboost("json"),
    "xgboost ubj": lambda shelf: shelf.xgboost("ubj"),
    "lightgbm": lambda shelf: shelf.lightgbm(),
    "mlflow sklearn, cloudpickle": lambda shelf: shelf.mlflow_sklearn("cloudpickle"),
    "mlflow sklearn, skops": lambda shelf: shelf.mlflow_sklearn("skops"),
    "mlflow xgboost": lambda shelf: shelf.mlflow_xgboost(),
    "mlflow lightgbm": lambda shelf: shelf.mlflow_lightgbm(),
    "mlflow onnx": lambda shelf: shelf.mlflow_onnx(),
}
PLATFORMS = {"onnx": "onnx_onnxv1", "xgboost": "xgboost", "lightgbm": "lightgbm"}


@pytest.mark.parametrize("name", OPENERS)
def test_a_model_of_each_format_knows_its_flowers(shelf, name):
    model = plain.load(OPENERS[name](shelf))

    rows = validate.from_rows(model.schema, iris.FLOWERS, "instances")
    first = np.asarray(next(iter(model.predict(rows).values())))

    kinds = first if first.ndim == 1 else first.argmax(axis=1)  # boosters answer with probabilities
    assert kinds.tolist() == iris.KINDS


@pytest.mark.parametrize("name", [name for name in OPENERS if "joblib" in name or "sk" in name])
def test_a_model_that_became_a_graph_knows_its_flowers(shelf, name):
    model = plain.load(OPENERS[name](shelf), optimize=True)

    rows = validate.from_rows(model.schema, iris.FLOWERS, "instances")

    assert model.optimization.runtime == "onnx", model.optimization.why
    assert model.predict(rows)["predict"].tolist() == iris.KINDS


@pytest.mark.parametrize("name", OPENERS)
def test_a_model_of_each_format_warms_up_from_its_schema(shelf, name):
    model = plain.load(OPENERS[name](shelf))

    warm = warmup.run(model, shelf.joblib(), 2, "iris")

    assert warm.predictions == 2
    assert warm.outputs


@pytest.mark.parametrize("name", ["mlflow xgboost", "mlflow onnx", "mlflow sklearn, skops", "xgboost json"])
def test_formats_that_run_no_code_need_no_trust(shelf, name):
    model = plain.load(OPENERS[name](shelf), allow_pickle=False)

    assert model.platform in {*PLATFORMS.values(), "sklearn"}


def test_a_pyfunc_sees_a_frame_with_its_own_types(shelf):
    model = plain.load(shelf.mlflow_pyfunc())

    rows = validate.from_rows(model.schema, [{"city": "bonn", "rooms": 2}, {"city": "köln", "rooms": 3}], "instances")
    answer = model.predict(rows)

    assert {name: array.tolist() for name, array in answer.items()} == {"city": ["BONN", "KÖLN"], "rooms": [4, 6]}


def test_a_pyfunc_without_a_signature_sees_what_the_client_named(tmp_path):
    import mlflow.pyfunc

    (tmp_path / "echo.py").write_text(
        "import mlflow\n"
        "class Echo(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return [str(type(model_input).__name__)] * len(model_input)\n"
        "mlflow.models.set_model(Echo())\n"
    )
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=str(tmp_path / "echo.py"), pip_requirements=["mlflow"])

    model = plain.load(tmp_path / "m")
    named = validate.from_rows(model.schema, [{"a": 1, "b": "x"}], "instances")
    listed = validate.from_rows(model.schema, [[1, 2]], "instances")

    assert model.predict(named)["predict"].tolist() == ["DataFrame"]
    assert model.predict(listed)["predict"].tolist() == ["ndarray"]


def test_an_estimator_that_picks_columns_by_name_gets_a_frame(tmp_path):
    import joblib
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    data = pd.DataFrame({"city": ["a", "b", "a", "b"], "area": [1.0, 2.0, 3.0, 4.0]})
    encoder = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    joblib.dump(make_pipeline(encoder, LinearRegression()).fit(data, [1, 2, 3, 4]), tmp_path / "model.joblib")

    model = plain.load(tmp_path)
    rows = validate.from_rows(model.schema, [{"area": 3.0, "city": "a"}], "instances")

    assert model.predict(rows)["predict"].tolist() == pytest.approx([3.0])


def test_a_forest_that_wanted_all_cores_gets_one_thread(tmp_path):
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data, kinds = load_iris(return_X_y=True)
    joblib.dump(RandomForestClassifier(n_estimators=5, n_jobs=-1).fit(data, kinds), tmp_path / "model.joblib")

    model = plain.load(tmp_path)

    forest = model.predict.__closure__[0].cell_contents.__self__
    assert forest.n_jobs == 1
