"""`python -m ferryman_server.command.alias URI`: prints `models:/NAME/VERSION` for an alias, a stage or `latest`.

In a cluster the operator does this, once for all pods. A process of its own: MLflow's client has the process changed
when it is imported.
"""

import os
import re
import sys
from pathlib import Path

from ferryman_server import reason
from ferryman_server.reason import FatalError, Reason

_VERSION = re.compile(r"models:/+[^/@]+/[0-9]+")


def moves(uri: str) -> bool:
    """Whether another version may answer to this address tomorrow."""
    return uri.startswith("models:/") and not _VERSION.fullmatch(uri)


def version(uri: str) -> str:
    """The address of the version that is meant today."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{uri} needs a registry, and MLFLOW_TRACKING_URI is not set; set it to the tracking server.",
        )
    import mlflow.exceptions  # noqa: PLC0415 - a second, for those who ask
    from mlflow.store.artifact.utils.models import get_model_name_and_version  # noqa: PLC0415

    try:
        name, number = get_model_name_and_version(mlflow.MlflowClient(), uri)
    except mlflow.exceptions.MlflowException as error:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND, f"{uri} leads to no version: {reason.first_line(error)}"
        ) from error
    return f"models:/{name}/{number}"


def main() -> int:
    """Print it, or leave the reason."""
    try:
        print(version(sys.argv[1]))
    except FatalError as error:
        reason.publish(error, Path(os.environ.get("FERRYMAN_TERMINATION_LOG", os.devnull)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
