"""XGBoost's own files (.ubj, .json): a Booster, or the scikit-learn class that MLflow recorded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Array
from ferryman_server.load import context as contexts
from ferryman_server.load import direct, estimator, mlmodel
from ferryman_server.reason import FatalError, Reason, first_line

BOOSTER = "xgboost.core.Booster"


def load(path: Path, context: contexts.Context, model_class: str = BOOSTER) -> Model:
    """The model in a file; a Booster answers with what its objective gives."""
    import xgboost  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    packages = {"xgboost": xgboost.__version__}
    try:
        if model_class != BOOSTER:
            wrapped = getattr(xgboost, model_class.rpartition(".")[2])()
            wrapped.load_model(path)
            wrapped.set_params(n_jobs=context.threads)
            return estimator.wrap(wrapped, context, "xgboost", packages)
        booster = xgboost.Booster(params={"nthread": context.threads}, model_file=path)
    except (xgboost.core.XGBoostError, AttributeError, ValueError) as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" is not a model that XGBoost {xgboost.__version__} '
            f"can read ({first_line(error)}); save it again with save_model().",
        ) from error

    def native(matrix: Array) -> Array:
        # Inplace: a DMatrix for each request costs a thousand times the trees.
        return np.asarray(booster.inplace_predict(matrix, validate_features=False))

    ask, _ = direct.proved(direct.xgboost(booster, native), native, booster.num_features(), np.float32)
    return Model(
        "xgboost",
        mlmodel.schema(context.signature, Kind.FP32) or _schema(booster.feature_names, booster.num_features()),
        lambda rows: {"predict": ask(rows.arrays[0])},
        packages=packages,
        quick=True,
    )


def _schema(names: Sequence[str] | None, width: int) -> schemas.Schema:
    if names:
        return schemas.named(tuple(schemas.Column(name, Kind.FP32) for name in names), Kind.FP32)
    return schemas.matrix(width, Kind.FP32)
