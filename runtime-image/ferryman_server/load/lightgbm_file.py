"""LightGBM's own text file: a Booster."""

from pathlib import Path

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Array
from ferryman_server.load import context as contexts
from ferryman_server.load import direct, mlmodel
from ferryman_server.reason import FatalError, Reason, first_line


def load(path: Path, context: contexts.Context) -> Model:
    """The Booster in a file; it answers with what its objective gives."""
    import lightgbm  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    # LightGBM aborts the whole process on half a file, so look for the end before it does.
    if b"\nend of trees" not in path.read_bytes():
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" ends before its last tree; upload it again.',
        )
    try:
        booster = lightgbm.Booster(model_file=path)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" is not a model that LightGBM {lightgbm.__version__} '
            f"can read ({first_line(error)}); save it again with save_model().",
        ) from error
    threads = context.threads

    def native(matrix: Array) -> Array:
        return np.asarray(booster.predict(matrix, num_threads=threads))

    ask, quick = direct.proved(direct.lightgbm(booster, threads, native), native, booster.num_feature(), np.float64)
    return Model(
        "lightgbm",
        mlmodel.schema(context.signature, Kind.FP64) or _schema(booster),
        lambda rows: {"predict": ask(rows.arrays[0])},
        packages={"lightgbm": lightgbm.__version__},
        quick=quick,
    )


def _schema(booster: "lightgbm.Booster") -> schemas.Schema:  # type: ignore[name-defined]  # noqa: F821
    names = booster.feature_name()
    if names == [f"Column_{at}" for at in range(len(names))]:  # what LightGBM writes when it was given none
        return schemas.matrix(len(names))
    return schemas.named(tuple(schemas.Column(name, Kind.FP64) for name in names), Kind.FP64)
