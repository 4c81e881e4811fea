"""MLflow's params: what a request asks of a model beside its rows, as the model's signature says."""

import mlflow.pyfunc
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from server import plain

_SCALED = """
import mlflow

class Scaled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [f"{params['unit']} {score * params['factor']}" for score in model_input["score"]]

mlflow.models.set_model(Scaled())
"""
_ROWS = {"dataframe_records": [{"score": 2}, {"score": 3}]}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    room = tmp_path_factory.mktemp("scaled")
    (room / "scaled.py").write_text(_SCALED)
    params = ParamSchema([ParamSpec("factor", DataType.long, 10), ParamSpec("unit", DataType.string, "m")])
    mlflow.pyfunc.save_model(
        room / "model",
        python_model=str(room / "scaled.py"),
        signature=ModelSignature(Schema([ColSpec("long", "score")]), params=params),
        pip_requirements=["mlflow"],
    )
    return plain.load(room / "model")


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, ["m 20", "m 30"]),
        (None, ["m 20", "m 30"]),
        ({"factor": 100}, ["m 200", "m 300"]),
        ({"factor": 1, "unit": "km"}, ["km 2", "km 3"]),
        ({"unit": "km", "nobody": "knows"}, ["km 20", "km 30"]),
    ],
)
async def test_params_that_the_signature_has_were_refused(scaled, params, wanted):
    async with plain.client(scaled) as http:
        answer = await http.post("/invocations", json=_ROWS | {"params": params})

    assert answer.json() == {"predictions": wanted}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"factor": "many"}, "factor"),
        ({"factor": [1, 2]}, "factor"),
        ([1], '"params" must be an object, got a list of 1.'),
    ],
)
async def test_params_that_do_not_fit_are_the_clients_to_mend(scaled, params, words):
    async with plain.client(scaled) as http:
        answer = await http.post("/invocations", json=_ROWS | {"params": params})

    assert answer.status_code == 400
    assert words in answer.json()["message"]


async def test_a_model_without_params_says_so(shelf):
    async with plain.client(plain.load(shelf.mlflow_pyfunc())) as http:
        answer = await http.post(
            "/invocations", json={"dataframe_records": [{"city": "ulm", "rooms": 1}], "params": {"factor": 2}}
        )

    assert (answer.status_code, answer.json()["message"]) == (
        400,
        '"params" are not taken here: the model has no signature with params. Log it with one, or put what it '
        "needs into its inputs.",
    )


async def test_margins_of_a_booster_that_were_asked_for_by_params(tmp_path):
    import numpy as np
    import xgboost
    from sklearn.datasets import load_breast_cancer

    data, kinds = load_breast_cancer(return_X_y=True)
    booster = xgboost.XGBClassifier(n_estimators=3).fit(data, kinds)
    params = ParamSchema([ParamSpec("output_margin", DataType.boolean, False)])
    signature = ModelSignature(Schema([ColSpec("double", f"f{at}") for at in range(data.shape[1])]), params=params)
    mlflow.xgboost.save_model(booster, tmp_path / "model", signature=signature, pip_requirements=["xgboost"])
    rows = {"inputs": {f"f{at}": [float(data[0, at])] for at in range(data.shape[1])}}

    async with plain.client(plain.load(tmp_path / "model")) as http:
        answer = await http.post("/invocations", json=rows | {"params": {"output_margin": True}})

    np.testing.assert_allclose(answer.json()["predictions"], booster.predict(data[:1], output_margin=True), rtol=1e-6)
