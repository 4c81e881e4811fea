"""XGBoost's trees as graphs: what comes out is what XGBoost answers, and what is not known becomes none."""

import time
from functools import partial

import joblib
import numpy as np
import pytest
import xgboost
from server import plain
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import sklearn_file, xgboost_file
from ferryman_server.load.context import Context
from ferryman_server.load.mlmodel import Signature
from ferryman_server.optimize import attempt, boosters, convert, report, runner

POINTS, THIRDS = make_classification(300, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
HALVES, NUMBERS = (THIRDS > 0).astype(int), 3 * POINTS[:, 0] + POINTS[:, 1]
HOLED = np.where(np.random.default_rng(0).random(POINTS.shape) < 0.1, np.nan, POINTS)
OBJECTIVES = {
    "binary:logistic": HALVES,
    "binary:logitraw": HALVES,
    "reg:logistic": (HALVES + 1e-3) / 1.01,  # some near nothing
    "multi:softprob": THIRDS,
    "reg:squarederror": NUMBERS,
    "reg:absoluteerror": NUMBERS,
    "count:poisson": np.abs(NUMBERS).round(),
    "rank:pairwise": HALVES,
}


def trained(objective, target, rounds=12, **more):
    classes = {"num_class": 3} if objective.startswith("multi") else {}
    return xgboost.train(
        {"objective": objective, "nthread": 1, **classes, **more}, xgboost.DMatrix(HOLED, target), rounds
    )


def graph(path, opened):
    """(why not, the graph's prediction, the native one), without another process."""
    context = Context("iris", path.parent, Signature(), allow_pickle=True, threads=1)
    told, made = report.read(convert.convert(path, context, opened))
    native = opened(path, context)[1]
    return told.why, None if told.why else runner.Runner(made, told, native.schema, 1).predict, native


def unseen(booster, dtype):
    """Chance, gaps, and for each division of each tree the value itself and its neighbours."""
    chance = np.random.default_rng(7)
    rows = chance.normal(size=(200, 6)) * 10.0 ** chance.integers(-2, 3, (200, 6))
    rows[chance.random(rows.shape) < 0.2] = np.nan
    divided = []
    for at, values in boosters.splits(booster):
        for value in (*values, np.nextafter(values[0], np.inf), np.nextafter(values[0], -np.inf)):
            divided.append(np.zeros(6))
            divided[-1][at] = value
    return np.concatenate([rows, divided]).astype(dtype)


def alike(wanted, got):
    assert (wanted.dtype, wanted.shape) == (got.dtype, got.shape)
    if wanted.dtype.kind == "f":
        assert np.allclose(wanted, got, rtol=1e-6, atol=0)
    else:
        assert np.array_equal(wanted, got)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_graph_of_a_booster_answers_as_it_does(tmp_path, objective):
    booster = trained(objective, OBJECTIVES[objective])
    booster.save_model(tmp_path / "model.json")

    why, predict, native = graph(tmp_path / "model.json", xgboost_file.opened)

    assert why == ""
    matrix = unseen(booster, np.float32)
    alike(native.predict(Rows((matrix,), len(matrix)))["predict"], predict(Rows((matrix,), len(matrix)))["predict"])


def test_a_small_probability_keeps_its_digits(tmp_path):
    booster = trained("binary:logistic", HALVES, rounds=60, learning_rate=1.0, min_child_weight=0, reg_lambda=0)
    booster.save_model(tmp_path / "model.json")

    _, predict, native = graph(tmp_path / "model.json", xgboost_file.opened)

    rows = Rows((HOLED.astype(np.float32),), len(HOLED))
    wanted = native.predict(rows)["predict"]
    assert wanted.min() < 1e-6
    assert np.allclose(wanted, predict(rows)["predict"], rtol=5e-6, atol=0)


@pytest.mark.parametrize(
    ("made", "target"),
    [
        (xgboost.XGBClassifier, HALVES),
        (xgboost.XGBClassifier, THIRDS),
        (xgboost.XGBRegressor, NUMBERS),
        (partial(xgboost.XGBRegressor, early_stopping_rounds=2, learning_rate=1.0), NUMBERS),
    ],
    ids=["two classes", "three classes", "numbers", "stopped early"],
)
def test_a_graph_of_a_class_of_xgboosts_answers_as_it_does_alone_and_in_a_pipeline(tmp_path, made, target):
    found = made(n_estimators=12, n_jobs=1)
    held = {"eval_set": [(HOLED[200:], target[200:])], "verbose": False} if found.early_stopping_rounds else {}
    found.fit(HOLED[:200], target[:200], **held)
    found.save_model(tmp_path / "model.json")
    scaler = StandardScaler().fit(HOLED)
    joblib.dump(make_pipeline(scaler, found), tmp_path / "model.joblib")
    name = f"xgboost.sklearn.{type(found).__name__}"
    matrix = unseen(found.get_booster(), np.float64)

    alone = graph(tmp_path / "model.json", partial(xgboost_file.opened, model_class=name))
    piped = graph(tmp_path / "model.joblib", sklearn_file.opened)

    for (why, predict, native), rows in ((alone, matrix), (piped, scaler.inverse_transform(matrix))):
        assert why == ""
        alike(native.predict(Rows((rows,), len(rows)))["predict"], predict(Rows((rows,), len(rows)))["predict"])


@pytest.mark.parametrize(
    ("objective", "target", "more", "why"),
    [
        ("binary:hinge", HALVES, {}, "not known for gbtree with binary:hinge"),
        ("multi:softmax", THIRDS, {}, "not known for gbtree with multi:softmax"),
        ("binary:logistic", HALVES, {"booster": "dart"}, "not known for dart with binary:logistic"),
        ("reg:squarederror", NUMBERS, {"booster": "gblinear"}, "not known for gblinear"),
    ],
)
def test_a_booster_of_another_kind_stays_as_it_is(tmp_path, objective, target, more, why):
    trained(objective, target, **more).save_model(tmp_path / "model.json")

    assert why in graph(tmp_path / "model.json", xgboost_file.opened)[0]


def test_few_rows_go_through_the_graph_and_many_through_xgboost(tmp_path, monkeypatch):
    booster = trained("binary:logistic", HALVES)
    booster.save_model(tmp_path / "model.ubj")
    asked = []
    took = runner.Runner._whole
    monkeypatch.setattr(runner.Runner, "_whole", lambda self, rows: asked.append(rows.count) or took(self, rows))

    monkeypatch.setattr(xgboost_file, "sooner", lambda *_: 50)

    model = plain.load(tmp_path, optimize=True)

    assert (model.platform, model.optimization.runtime) == ("xgboost", "onnx")
    assert set(model.packages) == {"xgboost", "onnxruntime"}
    matrix = unseen(booster, np.float32)[:200]
    asked.clear()
    for count in (1, 50, 51):
        got = model.predict(Rows((matrix[:count],), count))["predict"]
        assert np.allclose(got, booster.inplace_predict(matrix[:count]), rtol=2e-6)
    assert asked == [1, 50]


@pytest.mark.parametrize(("each", "most"), [(1e-5, 100), (1.5e-4, 10), (1e-2, 1)])
def test_a_graph_gets_as_many_rows_as_it_answers_sooner(each, most):
    found = xgboost_file.sooner(
        lambda rows: time.sleep(each * rows.count), lambda rows: time.sleep(2.5e-3), schemas.matrix(3)
    )

    assert found == most


def test_a_booster_without_a_graph_says_why_and_answers_itself(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(attempt, "PATIENCE", 0.05)
    booster = trained("binary:logistic", HALVES)
    booster.save_model(tmp_path / "model.json")

    model = plain.load(tmp_path, optimize=True)

    assert model.optimization.runtime == "native"
    assert "is served by XGBoost itself: its conversion was not done" in capfd.readouterr().err
    matrix = POINTS[:3].astype(np.float32)
    assert np.array_equal(model.predict(Rows((matrix,), 3))["predict"], booster.inplace_predict(matrix))
