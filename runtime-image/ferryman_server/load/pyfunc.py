"""Any MLflow model through `mlflow.pyfunc`: whatever the flavour, with pandas and MLflow's own checks."""

from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensors
from ferryman_server.load import context as contexts
from ferryman_server.load import mlmodel
from ferryman_server.reason import first_line


def load(root: Path, context: contexts.Context) -> Model:
    """The model in an MLflow directory."""
    contexts.refuse_code(context, "an MLflow model with Python code")
    import mlflow.exceptions  # noqa: PLC0415 - imports cost start-up time; each format pays for its own
    import mlflow.pyfunc  # noqa: PLC0415

    model = mlflow.pyfunc.load_model(str(root))
    schema = mlmodel.schema(context.signature, None) or schemas.FREE

    def predict(rows: Rows) -> Answer:
        try:
            return _answer(model.predict(_given(rows, schema), params=rows.params))
        except mlflow.exceptions.MlflowException as error:
            if error.error_code in {"BAD_REQUEST", "INVALID_PARAMETER_VALUE"}:
                raise InvalidInputError(f"The model does not take this input: {first_line(error)}") from error
            raise

    # a model may look at all rows that it is given, so it is given those of one request
    return Model(
        "mlflow",
        schema,
        predict,
        packages={"mlflow": mlflow.__version__},
        batches=False,
        params=context.signature.params,
    )


def _given(rows: Rows, schema: Schema) -> Any:
    import pandas as pd  # noqa: PLC0415

    if isinstance(schema, Tensors):
        if len(rows.arrays) == 1:
            return rows.arrays[0]
        return {tensor.name: array for tensor, array in zip(schema.tensors, rows.arrays, strict=True)}
    if schema.free and not rows.names:
        return rows.arrays[0]
    if schema.packed:
        return rows.arrays[0]
    names = rows.names or tuple(column.name for column in schema.columns)
    optional = {column.name for column in schema.columns if not column.required}
    given = dict(zip(names, rows.arrays, strict=True))
    return pd.DataFrame(
        {name: _column(array) for name, array in given.items() if name not in optional or not _all_absent(array)}
    )


def _column(array: Array) -> Array:
    return array if array.ndim == 1 else np.fromiter(array, dtype=object, count=len(array))


def _all_absent(array: Array) -> bool:
    if array.dtype == object:
        return all(value is None for value in array)
    return bool(array.dtype.kind == "f" and np.isnan(array).all())


def _answer(result: Any) -> Answer:
    import pandas as pd  # noqa: PLC0415

    match result:
        case pd.DataFrame():
            return {str(name): result[name].to_numpy() for name in result.columns}
        case dict():
            return {str(name): np.atleast_1d(_loose(value)) for name, value in result.items()}
        case _:
            return {"predict": np.atleast_1d(_loose(result))}


def _loose(value: Any) -> Array:
    if hasattr(value, "to_numpy"):
        return np.asarray(value.to_numpy())
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths: each is one object
        return np.fromiter(value, dtype=object, count=len(value))
