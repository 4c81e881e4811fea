"""scikit-learn models as graphs: the same answers, the same refusals, or no graph."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from server.optimize.estimators import CLASSES, FLOWERS, MATRICES, POINTS, SPECIES, alike, both, outcome
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Column
from ferryman_server.optimize import graph
from ferryman_server.optimize.convert import Original, judged


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
