"""LightGBM and XGBoost asked through their C interfaces: bit by bit what they answer by themselves."""

import lightgbm
import numpy as np
import pytest
import xgboost
from server import plain
from sklearn.datasets import make_classification, make_regression

from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import direct

POINTS, HALVES = make_classification(300, 6, n_informative=5, n_redundant=0, random_state=0)
_, THIRDS = make_classification(300, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
_, NUMBERS = make_regression(300, 6, random_state=0)
WORDS = np.array(["low", "middle", "high"])
STOP = lightgbm.early_stopping(2, verbose=False)
SMALL = {"n_estimators": 8, "n_jobs": 1}


def unseen(count=200, dtype=np.float64):
    chance = np.random.default_rng(5)
    rows = chance.normal(size=(count, 6)) * 10.0 ** chance.integers(-3, 4, (count, 6))
    rows[chance.random(rows.shape) < 0.2] = np.nan
    return rows.astype(dtype)


def same(wanted, got):
    assert (wanted.dtype, wanted.shape) == (got.dtype, got.shape)
    assert np.array_equal(wanted, got)


def light(target, **more):
    return lightgbm.LGBMClassifier(**SMALL, verbose=-1, **more).fit(POINTS, target)


ESTIMATORS = {
    "LightGBM, two classes": lambda: light(HALVES),
    "LightGBM, three classes": lambda: light(THIRDS),
    "LightGBM, classes that are words": lambda: light(WORDS[THIRDS]),
    "LightGBM, two classes that are words": lambda: light(WORDS[HALVES]),
    "LightGBM, numbers": lambda: lightgbm.LGBMRegressor(**SMALL, verbose=-1).fit(POINTS, NUMBERS),
    "LightGBM, stopped early": lambda: lightgbm.LGBMRegressor(n_estimators=60, n_jobs=1, verbose=-1).fit(
        POINTS[:200], NUMBERS[:200], eval_X=POINTS[200:], eval_y=NUMBERS[200:], callbacks=[STOP]
    ),
    "XGBoost, two classes": lambda: xgboost.XGBClassifier(**SMALL).fit(POINTS, HALVES),
    "XGBoost, three classes": lambda: xgboost.XGBClassifier(**SMALL).fit(POINTS, THIRDS),
    "XGBoost, numbers": lambda: xgboost.XGBRegressor(**SMALL).fit(POINTS, NUMBERS),
    "XGBoost, stopped early": lambda: xgboost.XGBRegressor(n_estimators=60, n_jobs=1, early_stopping_rounds=2).fit(
        POINTS[:200], NUMBERS[:200], eval_set=[(POINTS[200:], NUMBERS[200:])], verbose=False
    ),
}  # fmt: skip


@pytest.mark.parametrize("made", ESTIMATORS.values(), ids=ESTIMATORS.keys())
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_class_of_theirs_answers_as_it_does_itself(made):
    found = made()

    ask, is_direct = direct.proved(direct.estimator(found), found.predict, 6, np.float64)

    assert is_direct
    for count in (1, 2, 200):
        rows = unseen()[:count]
        same(np.asarray(found.predict(rows)), ask(rows))


@pytest.mark.parametrize("made", [HALVES, THIRDS, NUMBERS], ids=["two classes", "three classes", "numbers"])
def test_a_file_of_lightgbm_answers_as_its_booster_does(tmp_path, made):
    objective = {"objective": "regression"} if made is NUMBERS else {"objective": "multiclass", "num_class": 3}
    trained = lightgbm.train({**objective, "verbose": -1}, lightgbm.Dataset(POINTS, made), 8)
    trained.save_model(tmp_path / "model.txt")

    model = plain.load(tmp_path)

    assert model.quick
    wanted = lightgbm.Booster(model_file=tmp_path / "model.txt").predict(unseen())
    same(wanted, model.predict(Rows((unseen(),), 200))["predict"])


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "multi:softmax", "reg:squarederror"])
def test_a_file_of_xgboost_answers_as_its_booster_does(tmp_path, objective):
    classes = {"num_class": 3} if objective.startswith("multi") else {}
    target = {"b": HALVES, "m": THIRDS, "r": NUMBERS}[objective[0]]
    trained = xgboost.train({"objective": objective, **classes}, xgboost.DMatrix(POINTS, target), 8)
    trained.save_model(tmp_path / "model.json")

    model = plain.load(tmp_path)

    rows = unseen(dtype=np.float32)
    same(np.asarray(trained.inplace_predict(rows)), model.predict(Rows((rows,), 200))["predict"])


def test_a_linear_booster_answers_as_it_does_by_itself(tmp_path):
    trained = xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(POINTS, NUMBERS), 4)
    trained.save_model(tmp_path / "model.json")

    answer = plain.load(tmp_path).predict(Rows((POINTS.astype(np.float32),), 300))["predict"]

    assert np.allclose(answer, trained.predict(xgboost.DMatrix(POINTS.astype(np.float32))))


def test_an_answer_stays_as_it_was_when_the_next_is_asked_for():
    booster = xgboost.XGBRegressor(**SMALL).fit(POINTS, NUMBERS).get_booster()
    ask = direct.xgboost(booster, booster.inplace_predict)

    first = ask(POINTS[:3])
    kept = first.copy()
    ask(POINTS[3:6])

    assert np.array_equal(first, kept)


@pytest.mark.parametrize("name", ["LightGBM, numbers", "XGBoost, numbers"])
def test_rows_of_another_width_are_refused_in_the_librarys_own_words(name):
    found = ESTIMATORS[name]()
    ask = direct.estimator(found)

    with pytest.raises(Exception, match=r"(?i)feature"):
        ask(np.zeros((1, 5)))


def test_a_batch_that_many_threads_could_share_goes_to_the_library_as_one():
    booster = light(HALVES).booster_
    asked = []
    ask = direct.lightgbm(booster, 4, lambda rows: asked.append(len(rows)) or booster.predict(rows))

    for count in (1, 64, 65):
        same(booster.predict(unseen()[:count]), ask(unseen()[:count]))

    assert asked == [65]


def missing(rows):
    return np.isnan(rows).sum(axis=1).astype(np.float64)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rows: missing(rows) + 1e-12,
        lambda rows: missing(rows).astype(np.float32),
        lambda rows: missing(rows).reshape(-1, 1),
        lambda rows: np.where(len(rows) > 64, -1.0, missing(rows)),
    ],
    ids=["numbers", "types", "shapes", "numbers of large batches"],
)
def test_a_way_that_answers_other_things_is_not_taken(wrong):
    assert direct.proved(missing, missing, 6, np.float64) == (missing, True)
    assert direct.proved(wrong, missing, 6, np.float64) == (missing, False)
    assert direct.proved(None, missing, 6, np.float64) == (missing, False)


def test_an_estimator_whose_answers_are_made_in_another_way_is_left_alone():
    softmax = xgboost.XGBClassifier(**SMALL, missing=-1.0).fit(POINTS, HALVES)
    objective = light(HALVES, objective=lambda true, raw: (1 / (1 + np.exp(-raw)) - true, np.ones_like(raw)))

    assert direct.estimator(softmax) is None
    assert direct.estimator(objective) is None
