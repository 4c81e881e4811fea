"""scikit-learn models as graphs: the same answers, the same refusals, or no graph."""

import dataclasses
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ferryman_server import memory
from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Column
from ferryman_server.load import onnx_file, sklearn_file
from ferryman_server.load.context import Context
from ferryman_server.load.mlmodel import Signature
from ferryman_server.optimize import attempt, graph, report, samples
from ferryman_server.optimize.convert import Original, judged
from ferryman_server.reason import FatalError

FLOWERS, SPECIES = load_iris(return_X_y=True)
POINTS, CLASSES = make_classification(400, 12, n_informative=8, n_classes=3, random_state=0)
INPUTS, TARGETS = make_regression(300, 6, random_state=0)
HOLED = np.where(np.random.default_rng(0).random(POINTS.shape) < 0.05, np.nan, POINTS)
NAMES = np.array(["setosa", "versicolor", "virginica"])

MATRICES: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(FLOWERS, SPECIES),
    "labels that are words": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(
        FLOWERS, NAMES[SPECIES]
    ),
    "an imputer": lambda: make_pipeline(SimpleImputer(), LogisticRegression(max_iter=900)).fit(FLOWERS, SPECIES),
    "labels that do not begin at 0": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(
        FLOWERS, np.array([3, 7, 5])[SPECIES]
    ),
    "labels that are truths": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(
        FLOWERS, SPECIES == 1
    ),
    "labels that are real numbers": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(
        FLOWERS, SPECIES.astype(float)
    ),
    "a tree": lambda: DecisionTreeClassifier(random_state=0).fit(FLOWERS, SPECIES),
    "a forest": lambda: RandomForestClassifier(20, random_state=0).fit(POINTS, CLASSES),
    "a forest that knows gaps": lambda: RandomForestClassifier(20, random_state=0).fit(HOLED, CLASSES),
    "a scaled forest": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)).fit(
        POINTS, CLASSES
    ),
    "a regressing forest": lambda: RandomForestRegressor(20, random_state=0).fit(INPUTS, TARGETS),
    "boosted trees": lambda: GradientBoostingClassifier(n_estimators=10, random_state=0).fit(POINTS, CLASSES),
    "boosted histograms": lambda: HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(HOLED, CLASSES),
    "bagged trees": lambda: BaggingClassifier(n_estimators=8, random_state=0).fit(HOLED, CLASSES),
    "an isolation forest": lambda: IsolationForest(n_estimators=20, max_features=0.7, random_state=0).fit(HOLED),
    "a scaled isolation forest": lambda: make_pipeline(
        StandardScaler(), IsolationForest(n_estimators=20, contamination=0.1, random_state=0)
    ).fit(POINTS),
    "ridge regression": lambda: make_pipeline(StandardScaler(), Ridge()).fit(INPUTS, TARGETS),
    "clusters": lambda: KMeans(3, n_init=1, random_state=0).fit(FLOWERS),
    "a transformer": lambda: PCA(2).fit(FLOWERS),
}


def saved(estimator: Any, directory: Path) -> Path:
    path = directory / "model.joblib"
    joblib.dump(estimator, path)
    return path


def context(directory: Path, *columns: Column, optimize: bool = True) -> Context:
    signature = Signature(columns=columns, named=bool(columns))
    return Context("iris", directory, signature, allow_pickle=True, threads=1, optimize=optimize)


def both(estimator: Any, directory: Path, *columns: Column) -> tuple[Model, Model]:
    """The model with and without its graph."""
    path = saved(estimator, directory)
    return (
        sklearn_file.load(path, context(directory, *columns)),
        sklearn_file.load(path, context(directory, *columns, optimize=False)),
    )


def outcome(model: Model, rows: Rows) -> Any:
    """Its answer, or that it refuses the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            [answer] = model.predict(rows).values()
        except (InvalidInputError, ValueError):
            return "refused"
    return answer


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    if one.dtype.kind == "f":
        return one.dtype == other.dtype and np.allclose(one, other, rtol=1e-5, atol=1e-6)
    return one.tolist() == other.tolist()


@pytest.mark.parametrize("made", MATRICES.values(), ids=MATRICES.keys())
def test_a_graph_answers_and_refuses_what_the_estimator_does(made: Callable[[], Any], tmp_path: Path) -> None:
    estimator = made()
    converted, native = both(estimator, tmp_path)

    assert converted.optimization is not None
    assert converted.optimization.runtime == "onnx", converted.optimization.why
    assert converted.quick
    assert converted.schema == native.schema
    width = estimator.n_features_in_
    chance = np.random.default_rng(1)
    for scale in (0.1, 1.0, 5.0, 100.0):
        rows = Rows((chance.normal(size=(500, width)) * scale,), 500)
        assert alike(outcome(native, rows), outcome(converted, rows)), scale
    for value in (np.nan, np.inf, -np.inf):
        for at in range(width):
            odd = chance.normal(size=(3, width))
            odd[1, at] = value
            assert alike(outcome(native, Rows((odd,), 3)), outcome(converted, Rows((odd,), 3))), (value, at)


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


def test_a_refused_number_is_named_with_its_place(tmp_path: Path) -> None:
    converted, _ = both(MATRICES["logistic regression"](), tmp_path)
    matrix = np.array([[5.1, 3.5, 1.4, 0.2], [5.1, 3.5, np.nan, 0.2]])

    with pytest.raises(InvalidInputError, match=r"do(es)? not take these values: feature_2 is NaN in row 1\."):
        converted.predict(Rows((matrix,), 2))


def passengers(count: int, seed: int = 0) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": chance.integers(18, 90, count),
            "fare": chance.gamma(2, 30, count),
            "sex": chance.choice(["f", "m"], count),
            "port": chance.choice(["C", "Q", "S"], count),
        }
    )


COLUMNS = (
    Column("age", Kind.INT64),
    Column("fare", Kind.FP64),
    Column("sex", Kind.BYTES),
    Column("port", Kind.BYTES),
)


def mixed(unknown: str, last: Any) -> Any:
    table = passengers(400)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown=unknown)
    columns = ColumnTransformer([("numbers", numbers, ["age", "fare"]), ("words", words, ["sex", "port"])])
    return make_pipeline(columns, last).fit(table, (table.fare + table.age * (table.sex == "m") > 80).astype(int))


@pytest.mark.parametrize("last", [LogisticRegression(), RandomForestClassifier(25, random_state=0)], ids=str)
def test_a_table_of_numbers_and_words_becomes_a_graph_of_columns(last: Any, tmp_path: Path) -> None:
    converted, native = both(mixed("ignore", last), tmp_path, *COLUMNS)

    assert converted.optimization is not None
    assert converted.optimization.runtime == "onnx", converted.optimization.why
    table = passengers(300, seed=7)
    table.loc[3, "port"] = "nowhere"
    table.loc[4, "fare"] = np.nan
    rows = Rows(tuple(table[column.name].to_numpy() for column in COLUMNS), 300)
    assert alike(outcome(native, rows), outcome(converted, rows))


def test_an_estimator_that_refuses_unseen_words_stays_as_it_is(tmp_path: Path) -> None:
    converted, _ = both(mixed("error", LogisticRegression()), tmp_path, *COLUMNS)

    assert converted.optimization is not None
    assert converted.optimization.runtime == "native"
    assert "unseen word" in converted.optimization.why


def doubled(matrix: Any) -> Any:
    return matrix * 2


@pytest.mark.parametrize("kind", [RandomForestClassifier, RandomForestRegressor])
def test_many_rows_go_through_a_forest_in_pieces_and_come_back_in_their_order(kind: Any, tmp_path: Path) -> None:
    many = np.random.default_rng(3).normal(size=(333, POINTS.shape[1]))
    forest = kind(20, random_state=0).fit(POINTS, CLASSES)
    model, _ = both(forest, tmp_path)
    session = model.predict.__self__._session  # type: ignore[attr-defined]
    given: list[int] = []

    class Counting:
        def run(self, outputs: list[str], inputs: dict[str, Any]) -> Any:
            given.extend(len(array) for array in inputs.values())
            return session.run(outputs, inputs)

    model.predict.__self__._session = Counting()  # type: ignore[attr-defined]
    [answer] = model.predict(Rows((many,), len(many))).values()

    assert alike(answer, forest.predict(many))
    assert sorted(given) == [83, 83, 83, 84]


@pytest.mark.parametrize(
    ("labels", "steps"), [((0, 1, 2), 0), ((3, 7, 5), 1), ((-1, 0, 1), 1), (("a", "b", "cc"), 1)], ids=str
)
def test_a_label_is_found_in_one_step_after_the_largest_score(labels: Any, steps: int) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(FLOWERS, np.array(labels)[SPECIES])
    table = schemas.matrix(4)
    nodes = onnx.load_from_string(graph.convert(estimator, table, graph.order(table)[0])).graph.node
    kinds = [node.op_type for node in nodes]

    assert kinds[kinds.index("ArgMax") + 1 :] == ["Gather"] * steps


def test_an_estimator_with_code_of_its_own_stays_as_it_is(tmp_path: Path) -> None:
    own = make_pipeline(FunctionTransformer(doubled), LogisticRegression(max_iter=900)).fit(FLOWERS, SPECIES)
    found = attempt.attempt(saved(own, tmp_path), context(tmp_path), "sklearn", {}, sklearn_file.opened)

    assert not isinstance(found, Model)
    assert found.runtime == "native"
    assert found.why


def test_a_graph_that_gives_other_labels_is_not_taken(tmp_path: Path) -> None:
    estimator, other = MATRICES["a forest"](), RandomForestClassifier(20, random_state=1).fit(POINTS, CLASSES)
    _, native = both(estimator, tmp_path)
    chance = np.random.default_rng(0)
    batches = [Rows((chance.normal(size=(400, 12)) * 2,), 400)]
    types = graph.order(native.schema)[0]
    own, foreign = (graph.convert(one, native.schema, types) for one in (estimator, other))
    original = Original(estimator, native.schema, native.predict, batches)

    assert judged(original, own, types.precision).why == ""
    assert "another label" in judged(original, foreign, types.precision).why


def test_numbers_that_are_a_little_off_are_not_taken(tmp_path: Path) -> None:
    estimator = MATRICES["ridge regression"]()
    _, native = both(estimator, tmp_path)
    types = graph.order(native.schema)[0]
    made = graph.convert(estimator, native.schema, types)
    estimator[-1].intercept_ += 1e-2
    batches = [Rows((np.random.default_rng(0).normal(size=(400, 6)),), 400)]

    def predict(rows: Rows) -> Any:
        return {"predict": estimator.predict(rows.arrays[0])}

    told = judged(Original(estimator, native.schema, predict, batches), made, types.precision)

    assert "away from its own" in told.why


ENDS_ITS_CONVERSION = """
__import__("os")._exit(7) if "optimize" in __import__("sys").argv[0]
else __import__("sklearn.dummy").dummy.DummyClassifier(strategy="constant", constant=1).fit([[0.0]], [1])
"""


class EndsItsConversion:
    """An artefact that ends the process that converts it, and loads well elsewhere."""

    def __reduce__(self) -> Any:
        return eval, (" ".join(ENDS_ITS_CONVERSION.split()),)


def test_a_conversion_that_dies_takes_nothing_with_it(tmp_path: Path) -> None:
    path = saved(EndsItsConversion(), tmp_path)

    model = sklearn_file.load(path, context(tmp_path))

    assert model.optimization is not None
    assert "exit code 7" in model.optimization.why
    assert model.predict(Rows((np.array([[0.0]]),), 1))["predict"].tolist() == [1]


@pytest.mark.parametrize(("mebibytes", "why"), [(100, "100 MiB are left"), (248, "more memory|exit code|alloc")])
def test_a_conversion_stays_below_the_memory_limit_of_its_pod(
    mebibytes: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "left", lambda: mebibytes << 20)
    monkeypatch.setattr(attempt, "LEAST", 120 << 20)
    big = RandomForestClassifier(400, random_state=0).fit(POINTS, CLASSES)

    model = sklearn_file.load(saved(big, tmp_path), context(tmp_path))

    assert model.optimization is not None
    assert model.optimization.runtime == "native"
    assert re.search(why, model.optimization.why), model.optimization.why
    assert model.predict(Rows((POINTS[:1],), 1))["predict"].tolist() == [CLASSES[0]]


def test_a_conversion_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "PATIENCE", 0.1)
    path = saved(MATRICES["logistic regression"](), tmp_path)

    model = sklearn_file.load(path, context(tmp_path))

    assert model.optimization is not None
    assert "not done within" in model.optimization.why
    assert model.predict(Rows((FLOWERS[:1],), 1))["predict"].tolist() == [0]


def test_a_pickle_that_nobody_trusts_is_refused_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "attempt", lambda *_: pytest.fail("a process was started"))
    path = saved(MATRICES["ridge regression"](), tmp_path)

    with pytest.raises(FatalError, match="not trusted"):
        sklearn_file.load(path, dataclasses.replace(context(tmp_path), allow_pickle=False))


def test_what_the_converting_process_says_comes_back_as_it_was() -> None:
    told = report.Report(
        inputs=report.Inputs((Column("age", Kind.INT64, required=False),), named=True),
        refuses=(report.Refusal.NAN,),
        rows=400,
        worst=1e-9,
    )

    assert report.read(report.write(told, b"a graph\nof lines")) == (told, b"a graph\nof lines")
