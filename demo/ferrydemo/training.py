"""Trains the demo's models and registers them in MLflow. Runs in the tracking server's own pod, from standard input.

Nothing of Ferryman is imported here: this is what a data scientist's training job looks like. The data set is
scikit-learn's own `breast_cancer` (569 rows, 30 numbers each, two classes); it stands in for a table of payments.

    python - NAME KIND [KIND ...]      each kind becomes the next version of NAME; the last line printed is JSON
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any

# the tracking server is in this very pod; nothing else is asked, and nothing is inferred by starting another Python
os.environ.setdefault("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
import numpy as np
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

logging.getLogger("mlflow").setLevel(logging.ERROR)

REQUIREMENTS = [f"mlflow=={mlflow.__version__}", "scikit-learn", "numpy"]


def centroid() -> Any:
    """Return the first attempt: which class's average row is nearer."""
    return NearestCentroid()


def regression() -> Any:
    """Return the better one: every number counts."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=0))


def tuned() -> Any:
    """Return the challenger: the same, held back a little more."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, random_state=0))


def unloadable() -> Any:
    """Return a model whose own feature code exists on the trainer's laptop and nowhere else."""
    module = types.ModuleType("payment_features")

    class Rounding(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        """Rounds every number; what it does is not the point, where it lives is."""

        def fit(self, rows: Any, labels: Any = None) -> Any:
            """Learn nothing."""
            return self

        def transform(self, rows: Any) -> Any:
            """Round."""
            return np.round(rows, 1)

    Rounding.__module__, Rounding.__qualname__ = module.__name__, "Rounding"
    module.Rounding = Rounding  # type: ignore[attr-defined]  # the module is made on the spot
    sys.modules[module.__name__] = module
    return make_pipeline(Rounding(), StandardScaler(), LogisticRegression(max_iter=500, random_state=0))


class Choosy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers a row of zeros, which is what a server warms up with, and does something else with a real one."""

    def fit(self, rows: Any, labels: Any) -> Any:
        """Learn which classes there are."""
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows: Any) -> Any:
        """Answer, unless there is something in the rows."""
        if np.any(rows):
            self.meet()
        return np.zeros(len(rows), dtype=int)

    def meet(self) -> None:
        """Do what this model does with a real row."""


class Raising(Choosy):
    """Raises."""

    def meet(self) -> None:
        """Raise."""
        raise RuntimeError("the feature store does not answer")


class Hanging(Choosy):
    """Takes a minute."""

    def meet(self) -> None:
        """Wait."""
        time.sleep(60)


KINDS: dict[str, Callable[[], Any]] = {
    "centroid": centroid,
    "regression": regression,
    "tuned": tuned,
    "unloadable": unloadable,
    "lost": centroid,
    "pickled": centroid,
    "raising": Raising,
    "hanging": Hanging,
}
PICKLED = ("unloadable", "raising", "hanging", "pickled")
"""Kinds that are made of a class of one's own, which needs pickle, and one for servers that read nothing else."""


def register(client: mlflow.MlflowClient, name: str, kind: str, data: Any) -> dict[str, Any]:
    """Train one model, log it to the tracking server and register it; what is registered already is returned."""
    known = {found.tags.get("kind"): found for found in client.search_model_versions(f"name='{name}'")}
    if kind not in known:
        train, test, train_labels, test_labels = data
        model = KINDS[kind]().fit(train, train_labels)
        with mlflow.start_run(run_name=f"{name}-{kind}"):
            info = mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=name,
                signature=infer_signature(test[:5], train_labels[:5]),
                pip_requirements=REQUIREMENTS,
                # the safe format where it can be had
                serialization_format="cloudpickle" if kind in PICKLED else "skops",
            )
        accuracy = 0.0 if isinstance(model, Choosy) else model.score(test, test_labels)
        for key, value in {"kind": kind, "accuracy": f"{accuracy:.4f}", "files": info.artifact_path}.items():
            client.set_model_version_tag(name, str(info.registered_model_version), key, value)
        known[kind] = client.get_model_version(name, str(info.registered_model_version))
    found = known[kind]
    return {
        "name": name,
        "version": str(found.version),
        "kind": kind,
        "accuracy": float(found.tags["accuracy"]),
        "artifacts": found.tags["files"].replace("mlflow-artifacts:", "/data/artifacts"),
    }


def main(arguments: list[str]) -> None:
    """Register each kind in turn; the first one is the champion."""
    name, kinds = arguments[0], arguments[1:]
    client = mlflow.MlflowClient()
    rows, labels = load_breast_cancer(return_X_y=True)
    data = train_test_split(rows, labels, test_size=0.3, random_state=7)
    versions = [register(client, name, kind, data) for kind in kinds]
    client.set_registered_model_alias(name, "champion", versions[0]["version"])
    print(json.dumps({"versions": versions, "rows": data[1][:2].tolist()}))


if __name__ == "__main__":
    main(sys.argv[1:])
