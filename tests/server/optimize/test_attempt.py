"""A conversion in a process of its own: whatever becomes of it, the estimator serves."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server.optimize.estimators import CLASSES, FLOWERS, MATRICES, POINTS, SPECIES, context, saved
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ferryman_server import memory
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Column
from ferryman_server.load import sklearn_file
from ferryman_server.optimize import attempt, report
from ferryman_server.reason import FatalError


def doubled(matrix: Any) -> Any:
    return matrix * 2


def test_an_estimator_with_code_of_its_own_stays_as_it_is(tmp_path: Path) -> None:
    own = make_pipeline(FunctionTransformer(doubled), LogisticRegression(max_iter=900)).fit(FLOWERS, SPECIES)
    found = attempt.attempt(saved(own, tmp_path), context(tmp_path), "sklearn", {}, sklearn_file.opened)

    assert not isinstance(found, Model)
    assert found.runtime == "native"
    assert found.why


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
