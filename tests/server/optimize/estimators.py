"""Fitted estimators, each with its graph and without, and what it means that both answer alike."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Column
from ferryman_server.load import sklearn_file
from ferryman_server.load.context import Context
from ferryman_server.load.mlmodel import Signature

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
