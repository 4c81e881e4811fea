"""Opens a scikit-learn file: skops, which is data, or joblib and pickle, which are code."""

import dataclasses
import pickle
import warnings
import zlib
from pathlib import Path
from typing import Any

from ferryman_server import log
from ferryman_server.dataplane.model import Model
from ferryman_server.load import context as contexts
from ferryman_server.load import estimator, skops_file
from ferryman_server.optimize import attempt as optimize
from ferryman_server.reason import FatalError, Reason, first_line

_PLATFORM = "sklearn"


def load(path: Path, context: contexts.Context) -> Model:
    """The estimator in a file, as a graph that answers the same where there is one, or as it is."""
    if not context.optimize:
        return opened(path, context)[1]
    if path.suffix.lower() != ".skops":
        _refuse_pickle(path, context)  # before another process is started only to hear it
    found = optimize.attempt(path, context, _PLATFORM, _packages(), opened)
    if isinstance(found, Model):
        return found
    return dataclasses.replace(opened(path, context)[1], optimization=found)


def opened(path: Path, context: contexts.Context) -> tuple[Any, Model]:
    """The estimator, and the same as a model."""
    found = _open(path, context)
    _without_ceremony()
    return found, estimator.wrap(found, context, _PLATFORM, _packages())


def _packages() -> dict[str, str]:
    return {"scikit-learn": contexts.version("scikit-learn")}


def _without_ceremony() -> None:
    """Its parameters were checked when it was fitted; the setting is this thread's, which is the model's."""
    import sklearn  # noqa: PLC0415

    sklearn.set_config(skip_parameter_validation=True)


def _open(path: Path, context: contexts.Context) -> Any:
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        try:
            found = skops_file.load(path, context) if path.suffix.lower() == ".skops" else _pickle(path, context)
        except (pickle.UnpicklingError, EOFError, zlib.error) as error:
            raise FatalError(
                Reason.ARTIFACT_CORRUPT,
                f'File "{path.name}" of model "{context.model}" is damaged ({first_line(error)}); upload it again.',
            ) from error
        except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
            raise _mismatch(path, context, error, noted) from error
    for told in _versions(noted):
        log.line(f'Model "{context.model}" {told}; it loaded, but its answers may differ')
    return found


def _refuse_pickle(path: Path, context: contexts.Context) -> None:
    contexts.refuse_code(context, f'a pickle ("{path.name}")')


def _pickle(path: Path, context: contexts.Context) -> Any:
    _refuse_pickle(path, context)
    import joblib  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    return joblib.load(path)


def _mismatch(
    path: Path, context: contexts.Context, error: Exception, noted: list[warnings.WarningMessage]
) -> FatalError:
    here = contexts.version("scikit-learn")
    wanted = contexts.asked_for(context.root, "scikit-learn")
    told = _versions(noted) or ([f"asks for {wanted}, this server has {here}"] if wanted else [])
    cause = f" It {told[0]}." if told else f" This server has scikit-learn {here}."
    return FatalError(
        Reason.LOAD_FAILED,
        f'File "{path.name}" of model "{context.model}" does not load: '
        f"{type(error).__name__}: {first_line(error)}.{cause} Save it again with the server's versions.",
    )


def _versions(noted: list[warnings.WarningMessage]) -> list[str]:
    told = []
    for warning in noted:
        wrote = getattr(warning.message, "original_sklearn_version", None)
        if wrote:
            told.append(f"was saved with scikit-learn {wrote}, this server has {contexts.version('scikit-learn')}")
    return sorted(set(told))
