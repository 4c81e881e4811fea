"""Skops files of sources that are not trusted: what estimators are made of loads, what would harm does not."""

import copy
import inspect
import warnings

import numpy as np
import pytest
import skops.io
from server import plain
from sklearn import ensemble, linear_model, neighbors, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.utils.discovery import all_estimators

from ferryman_server.dataplane.rows import Rows
from ferryman_server.reason import FatalError, Reason

_FLOWERS, _KINDS = load_iris(return_X_y=True)
_LAST = _KINDS == 2
_PATIENTS, _PROGRESS = (given[:100] for given in load_diabetes(return_X_y=True))
_SHORT = {"n_estimators": 3, "max_iter": 10, "cv": 3}
_NOT_FOR_A_TABLE = {"IsotonicRegression"}  # one column, and as a list
_BINARY = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_SEVERAL = {"ClassifierChain", "MultiOutputClassifier", "CCA", "PLSCanonical", "RegressorChain"}


def _saved(estimator, room):
    skops.io.dump(estimator, room / "model.skops")
    return room


def _loaded(room):
    return plain.load(room, allow_pickle=False)


def _refused(estimator, room) -> FatalError:
    with pytest.raises(FatalError) as refused:
        _loaded(_saved(estimator, room))
    return refused.value


def _fitted(name, made, kind):
    """One of scikit-learn's, fitted on a table and a target that it takes."""
    given, wanted = (_FLOWERS, _KINDS) if kind == "classifier" else (_PATIENTS, _PROGRESS)
    if name in _BINARY:
        wanted = _LAST.astype(int)
    if name in _SEVERAL or (name.startswith("Multi") and kind == "regressor"):
        wanted = np.stack([wanted == wanted.max(), wanted == wanted.min()], axis=1).astype(int)
    part = linear_model.LogisticRegression() if kind == "classifier" else linear_model.LinearRegression()
    parts = {"estimator": part, "estimators": [("one", part)]} | _SHORT
    taken = inspect.signature(made).parameters
    needed = {one for one in taken if one in _SHORT or taken[one].default in (inspect.Parameter.empty, None)}
    return made(**{one: value for one, value in parts.items() if one in needed}).fit(np.abs(given), wanted)


_EVERY = [
    pytest.param(name, made, kind, id=name)
    for kind in ("classifier", "regressor")
    for name, made in all_estimators(type_filter=kind)
    if name not in _NOT_FOR_A_TABLE
]


@pytest.mark.parametrize(("name", "made", "kind"), _EVERY)
def test_a_model_of_scikit_learn_that_came_from_a_bucket_was_refused(name, made, kind, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = _fitted(name, made, kind)
    rows = np.abs(_FLOWERS if kind == "classifier" else _PATIENTS)[:5]

    answer = _loaded(_saved(fitted, tmp_path)).predict(Rows((rows,), len(rows)))

    np.testing.assert_array_equal(answer["predict"], fitted.predict(rows))


_COMPOSED = {
    "columns by type": (
        lambda: make_pipeline(
            make_column_transformer(
                (SimpleImputer(), make_column_selector(dtype_include=np.number)),
                (StandardScaler(), make_column_selector(dtype_include=object)),
            ),
            linear_model.LogisticRegression(),
        ),
        True,
    ),
    "best features": (lambda: make_pipeline(SelectKBest(k=2), linear_model.LogisticRegression()), False),
    "bins": (lambda: make_pipeline(KBinsDiscretizer(), linear_model.LogisticRegression()), False),
    "searched": (
        lambda: GridSearchCV(ensemble.RandomForestClassifier(3), {"max_depth": [2, 3]}, scoring="f1_macro"),
        False,
    ),
    "calibrated": (lambda: CalibratedClassifierCV(ensemble.RandomForestClassifier(3), method="isotonic"), False),
    "some columns a tree": (lambda: ensemble.IsolationForest(n_estimators=3, max_features=2), False),
    "neighbours in balls": (lambda: neighbors.KNeighborsClassifier(p=1, algorithm="ball_tree"), False),
    "guess of nothing": (lambda: ensemble.GradientBoostingClassifier(n_estimators=3, init="zero"), False),
}


@pytest.mark.parametrize(("make", "framed"), _COMPOSED.values(), ids=_COMPOSED)
def test_a_pipeline_that_came_from_a_bucket_was_refused(make, framed, tmp_path):
    given = load_iris(as_frame=True).data if framed else _FLOWERS
    fitted = make().fit(given, _KINDS)
    rows = Rows(tuple(given.to_numpy().T), len(given), tuple(given)) if framed else Rows((_FLOWERS,), len(_FLOWERS))

    answer = _loaded(_saved(fitted, tmp_path)).predict(rows)

    np.testing.assert_array_equal(answer["predict"], fitted.predict(given))


# --- what would read memory that is not the model's -----------------------------------------------


def _reset(holder, **wrong):
    """A copy of a tree of compiled code with other arrays in it."""
    state = copy.deepcopy(holder.__getstate__())
    for name, (at, value) in wrong.items():
        state["nodes"][name][at] = value
    holder.__setstate__(state)


def _tree(**wrong):
    grown = tree.DecisionTreeClassifier(max_depth=3).fit(_FLOWERS, _KINDS)
    _reset(grown.tree_, **wrong)
    return grown


def _forest():
    grown = ensemble.RandomForestClassifier(3).fit(_FLOWERS, _KINDS)
    _reset(grown.estimators_[2].tree_, right_child=(0, 10**6))
    return grown


def _narrow_forest():
    grown = ensemble.ExtraTreesRegressor(3).fit(_FLOWERS, _KINDS)
    grown.n_features_in_ = 1
    return grown


def _unchecking_forest():
    grown = ensemble.RandomForestClassifier(3).fit(_FLOWERS, _KINDS)
    grown._validate_X_predict = np.negative
    return grown


def _hidden_forest():
    return make_pipeline(StandardScaler(), ensemble.VotingClassifier([("one", _forest())], voting="soft")).fit(
        _FLOWERS, _KINDS
    )


def _wide_boosting():
    grown = ensemble.GradientBoostingRegressor(n_estimators=3).fit(_FLOWERS, _KINDS)
    grown.estimators_ = np.repeat(grown.estimators_, 50, axis=1)
    return grown


def _histogram(**wrong):
    grown = ensemble.HistGradientBoostingRegressor(max_iter=3).fit(_FLOWERS, _KINDS)
    for name, value in wrong.items():
        grown._predictors[1][0].nodes[name][0] = value
    return grown


def _neighbours(at, change):
    fitted = neighbors.KNeighborsClassifier(algorithm="kd_tree", leaf_size=10).fit(_FLOWERS, _KINDS)
    state = [part.copy() if isinstance(part, np.ndarray) else part for part in fitted._tree.__getstate__()]
    state[at] = change(state[at])
    fitted._tree.__setstate__(tuple(state))
    return fitted


def _beyond(nodes):
    nodes["idx_end"][3] = 10**6
    return nodes


def _endless(nodes):
    nodes["is_leaf"] = 0
    return nodes


_HARMFUL = {
    "a child beyond the last node": lambda: _tree(left_child=(0, 10**6)),
    "a child before the first node": lambda: _tree(right_child=(0, -7)),
    "a node that is its own child": lambda: _tree(left_child=(1, 0)),
    "a feature beyond the last column": lambda: _tree(feature=(0, 10**6)),
    "a feature before the first column": lambda: _tree(feature=(0, -9)),
    "a tree of a forest": _forest,
    "a forest of fewer columns than its trees": _narrow_forest,
    "a forest whose look at the input is another's": _unchecking_forest,
    "more trees than outputs": _wide_boosting,
    "a child beyond the last of a histogram tree": lambda: _histogram(left=10**6),
    "a root that is its own child": lambda: _histogram(right=0),
    "a feature beyond the last of a histogram tree": lambda: _histogram(feature_idx=10**6),
    "categories": lambda: _histogram(is_categorical=1, bitset_idx=10**6),
    "neighbours beyond the last": lambda: _neighbours(1, lambda places: places + 10**6),
    "a leaf beyond the last of the neighbours": lambda: _neighbours(2, _beyond),
    "leaves with children": lambda: _neighbours(2, _endless),
    "bounds for fewer nodes": lambda: _neighbours(3, lambda bounds: bounds[:, :1].copy()),
}


@pytest.mark.parametrize("make", _HARMFUL.values(), ids=_HARMFUL)
def test_a_file_whose_trees_lead_out_of_them_crashed_the_server(make, tmp_path):
    error = _refused(make(), tmp_path)

    assert error.reason is Reason.UNTRUSTED_FORMAT
    assert error.message.startswith('File "model.skops" of model "iris" has ')
    assert error.message.endswith("or trust the source in the chart's values.")


def test_the_same_file_from_a_source_that_is_trusted_is_opened(tmp_path):
    plain.load(_saved(_wide_boosting(), tmp_path), allow_pickle=True)
