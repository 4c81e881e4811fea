"""MLflow's own client: how patient it is, and how it comes into the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from urllib3.util import parse_url

from ferryman.settings import Settings

_IMPORTING = threading.Lock()

_accounts: dict[str, str | None] = {}
"""The token that each tracking server is shown, by its address; None for the own one, whose account MLflow knows."""


def prepare(settings: Settings) -> None:
    """Set what MLflow reads from the environment whenever it asks, unless an admin has."""
    # Its own defaults are minutes of patience.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, int(settings.registry_timeout_seconds))))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    # It also reports its use to its makers unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def introduce(settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """Learn which tracking server is shown which token."""
    _accounts.clear()
    for number, server in enumerate(settings.registries):
        _accounts[_folder(server)] = environment.get(f"FERRYMAN_REGISTRY_TOKEN_{number}", "")
    if settings.tracking_uri:
        _accounts[_folder(settings.tracking_uri)] = None


def token(url: str) -> str | None:
    """Return the token for an address at one of the other servers, empty for none; None for the installation's.

    An address that is at none of them, to which a server may have sent us on, is shown no account.
    """
    served = [server for server in _accounts if _spelled(url).startswith(server)]
    return _accounts[max(served, key=len)] if served else ""


def _folder(server: str) -> str:
    return _spelled(server.rstrip("/") + "/")


def _spelled(url: str) -> str:
    """Return an address as requests spells it when it sends there: hosts in lower case, no dots in the path."""
    return str(parse_url(url))


def get(tracking: str, path: str, query: dict[str, str]) -> bytes | None:
    """Fetch what lies at a path of a tracking server, with the operator's account; None where there is nothing."""
    connected(tracking)
    from mlflow.utils import credentials, rest_utils  # noqa: PLC0415

    answer = rest_utils.http_request(credentials.get_default_host_creds(tracking), path, "GET", params=query)
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return None
    answer.raise_for_status()
    return bytes(answer.content)


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
