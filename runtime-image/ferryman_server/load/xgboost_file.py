"""XGBoost's own files (.ubj, .json): a Booster, or the scikit-learn class that MLflow recorded."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.load import context as contexts
from ferryman_server.load import direct, estimator, mlmodel
from ferryman_server.optimize import attempt as optimize
from ferryman_server.reason import FatalError, Reason, first_line

Predict = Callable[[Rows], Answer]
BOOSTER = "xgboost.core.Booster"
_COUNTS = (100, 50, 25, 10, 5)
_RUNS = 5


def load(path: Path, context: contexts.Context, model_class: str = BOOSTER) -> Model:
    """The model in a file; few rows go through a graph of it, if that answers alike."""
    model = opened(path, context, model_class)[1]
    if not context.optimize:
        return model
    found = optimize.attempt(path, context, model.platform, model.packages, partial(opened, model_class=model_class))
    if not isinstance(found, Model):
        return dataclasses.replace(model, optimization=found)
    few, many = found.predict, model.predict
    most = sooner(few, many, model.schema)
    return dataclasses.replace(found, predict=lambda rows: few(rows) if rows.count <= most else many(rows))


def sooner(graph: Predict, native: Predict, schema: schemas.Schema) -> int:
    """How many rows a graph answers sooner: a hundred of a hundred trees, few of a thousand, but always a lone one.

    XGBoost begins slowly and is faster for each row.
    """
    if not isinstance(schema, schemas.Table) or not schema.packed:  # it begins with a DataFrame, slower still
        return _COUNTS[0]
    chance = np.random.default_rng(0)
    for count in _COUNTS:
        matrix = chance.normal(size=(count, schema.width)).astype(schema.packed.dtype)
        rows, best = Rows((matrix,), count), [math.inf, math.inf]
        for _ in range(_RUNS):
            for at, predict in enumerate((graph, native)):
                began = time.perf_counter()
                predict(rows)
                best[at] = min(best[at], time.perf_counter() - began)
        if best[0] <= best[1]:
            return count
    return 1


def opened(path: Path, context: contexts.Context, model_class: str = BOOSTER) -> tuple[Any, Model]:
    """The booster, or the class that MLflow recorded, and the same as a model."""
    import xgboost  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    packages = {"xgboost": xgboost.__version__}
    try:
        if model_class != BOOSTER:
            wrapped = getattr(xgboost, model_class.rpartition(".")[2])()
            wrapped.load_model(path)
            wrapped.set_params(n_jobs=context.threads)
            return wrapped, estimator.wrap(wrapped, context, "xgboost", packages)
        booster = xgboost.Booster(params={"nthread": context.threads}, model_file=path)
    except (xgboost.core.XGBoostError, AttributeError, ValueError) as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" is not a model that XGBoost {xgboost.__version__} '
            f"can read ({first_line(error)}); save it again with save_model().",
        ) from error
    return booster, _alone(booster, context, packages)


def _alone(booster: Any, context: contexts.Context, packages: dict[str, str]) -> Model:
    """A Booster answers with what its objective gives."""
    native = _native(booster, context.threads)
    ask, _ = direct.proved(direct.xgboost(booster, native), native, booster.num_features(), np.float32)
    return Model(
        "xgboost",
        mlmodel.schema(context.signature, Kind.FP32) or _schema(booster.feature_names, booster.num_features()),
        lambda rows: {"predict": ask(rows.arrays[0])},
        packages=packages,
        quick=True,
    )


def _native(booster: Any, threads: int) -> direct.Call:
    """Inplace: a DMatrix for each request costs a thousand times the trees. But a linear booster wants one."""
    import xgboost  # noqa: PLC0415

    def inplace(matrix: Array) -> Array:
        return np.asarray(booster.inplace_predict(matrix, validate_features=False))

    def with_its_own_matrix(matrix: Array) -> Array:
        return np.asarray(booster.predict(xgboost.DMatrix(matrix, nthread=threads), validate_features=False))

    try:
        inplace(np.zeros((1, booster.num_features()), np.float32))
    except xgboost.core.XGBoostError:
        return with_its_own_matrix
    return inplace


def _schema(names: Sequence[str] | None, width: int) -> schemas.Schema:
    if names:
        return schemas.named(tuple(schemas.Column(name, Kind.FP32) for name in names), Kind.FP32)
    return schemas.matrix(width, Kind.FP32)
