"""MLflow's own client: how patient it is, and how it comes into the process."""

from __future__ import annotations

import os
import threading
from typing import Any

_IMPORTING = threading.Lock()


def prepare(timeout_seconds: float) -> None:
    """Set what MLflow reads from the environment whenever it asks, unless an admin has."""
    # Its own defaults are minutes of patience.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, int(timeout_seconds))))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    # It also reports its use to its makers unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def connected(tracking: str) -> tuple[Any, type[Any]]:
    """Return a client of a tracking server, and the class of its errors, in any thread.

    MLflow takes a second and 40 MB to import; an operator that serves only plain locations never pays. Two threads
    that import it at once meet it half made, and it stays so for as long as the process lives.
    """
    with _IMPORTING:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from mlflow.tracking import MlflowClient  # noqa: PLC0415

        from ferryman.registry import bounds  # noqa: PLC0415 it imports MLflow

        bounds.install()

    return MlflowClient(tracking_uri=tracking, registry_uri=tracking), MlflowException
