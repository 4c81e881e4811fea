"""scikit-learn estimators, and what looks like one (XGBClassifier, LGBMRegressor), as a model."""

import warnings
from typing import Any

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import Schema, Table
from ferryman_server.load import context as contexts
from ferryman_server.load import direct, mlmodel
from ferryman_server.reason import FatalError, Reason

# These pick columns by name or hand rows to the user's code: they must see a DataFrame.
_NAME_AWARE = {"ColumnTransformer", "FunctionTransformer", "FeatureUnion"}
_CALLERS = {"FunctionTransformer", "TransformedTargetRegressor"}
_FAMILIES = ("sklearn.", "xgboost.", "lightgbm.")


def wrap(estimator: Any, context: contexts.Context, platform: str, packages: dict[str, str]) -> Model:
    """An estimator with the schema of its signature, or else what it remembers from `fit`."""
    act = getattr(estimator, "predict", None) or getattr(estimator, "transform", None)
    if act is None:
        raise FatalError(
            Reason.LOAD_FAILED,
            f'Model "{context.model}" is a {type(estimator).__name__}, which can neither predict nor transform.',
        )
    _one_thread(estimator)
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    framed = bool(names) and not takes_arrays(estimator)
    schema = mlmodel.schema(context.signature, Kind.FP64) or _remembered(estimator, names, framed=framed)
    quick = False
    if (
        isinstance(schema, Table)
        and schema.packed
        and not framed
        and schema.width == getattr(estimator, "n_features_in_", None)
    ):
        act, quick = direct.proved(direct.estimator(estimator), act, schema.width, schema.packed.dtype)
    return Model(
        platform,
        schema,
        _predictor(act, schema, names, framed=framed),
        packages=packages,
        batches=row_by_row(estimator),
        quick=quick,
    )


def _remembered(estimator: Any, names: list[str], *, framed: bool) -> Schema:
    width = getattr(estimator, "n_features_in_", None)
    if width is None or framed:  # names without types: the estimator will say what it misses
        return schemas.FREE
    if names:
        return schemas.named(tuple(schemas.Column(name, Kind.FP64) for name in names), Kind.FP64)
    return schemas.matrix(int(width))


def _predictor(act: Any, schema: Schema, names: list[str], *, framed: bool) -> Any:
    packed = isinstance(schema, Table) and schema.packed is not None
    if packed and not framed:
        return lambda rows: {"predict": np.asarray(act(rows.arrays[0]))}
    known = [column.name for column in schema.columns] if isinstance(schema, Table) and schema.named else names

    def predict(rows: Rows) -> Answer:
        if len(rows.arrays) == 1 and rows.arrays[0].ndim > 1 and not known:
            return {"predict": np.asarray(act(rows.arrays[0]))}
        return {"predict": np.asarray(act(_frame(rows, known)))}

    return predict


def _frame(rows: Rows, known: list[str]) -> Any:
    import pandas as pd  # noqa: PLC0415 - most models never need it

    if len(rows.arrays) == 1 and rows.arrays[0].ndim == 2:
        fits = len(known) == rows.arrays[0].shape[1]
        return pd.DataFrame(rows.arrays[0], columns=known if fits else None, copy=False)
    return pd.DataFrame(dict(zip(rows.names or known, rows.arrays, strict=True)), copy=False)


def takes_arrays(estimator: Any) -> bool:
    """Whether every part comes from a library that treats an array like the frame it was fitted on."""
    every = [estimator, *parts(estimator)]
    return all(
        type(part).__module__.startswith(_FAMILIES) and type(part).__name__ not in _NAME_AWARE for part in every
    )


def row_by_row(estimator: Any) -> bool:
    """Whether each row's answer is known to be its own: so it is in the libraries, and of a user's code nobody knows.

    Rows that a function scales by their mean, say, must not meet those of another client.
    """
    return all(_known(part) for part in [estimator, *parts(estimator)])


def _known(part: Any) -> bool:
    if not type(part).__module__.startswith(_FAMILIES):
        return False
    settings = part.get_params(deep=False).values() if hasattr(part, "get_params") else ()
    functions = [value for value in settings if callable(value) and not isinstance(value, np.ufunc)]
    if type(part).__name__ in _CALLERS:  # also a library's function may look at all rows: minmax_scale does
        return not functions
    return all(
        isinstance(value, type) or (getattr(value, "__module__", None) or "").startswith((*_FAMILIES, "numpy"))
        for value in functions
    )


def parts(estimator: Any) -> list[Any]:
    """The estimators that an estimator is made of, at any depth."""
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    return [value for value in parameters.values() if hasattr(value, "fit")]


def _one_thread(estimator: Any) -> None:
    """Joblib's pool costs milliseconds a call; across requests there is enough to do already."""
    if not hasattr(estimator, "get_params"):
        return
    jobs = {name: 1 for name in estimator.get_params(deep=True) if name == "n_jobs" or name.endswith("__n_jobs")}
    if jobs:
        estimator.set_params(**jobs)
