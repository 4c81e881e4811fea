"""A tracking server for the session, and a registry that speaks only as much of its language as is asked."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
import tracking as tracking_server
from mlflow.tracking import MlflowClient

from cluster_io.small_mlflow import Mlflow
from ferryman.registry.answers import Registry
from ferryman.settings import Settings


@pytest.fixture(scope="session")
def direct() -> Iterator[None]:
    """No proxy stands between this machine and itself."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory, direct: None) -> Iterator[MlflowClient]:
    """A tracking server with a client; `fraud` has two versions, from nowhere."""
    with tracking_server.server(tmp_path_factory.mktemp("mlflow")) as client:
        client.create_registered_model("fraud")
        for version in ("1", "2"):
            client.create_model_version("fraud", source=f"s3://models/{version}")
        yield client


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    world = Mlflow()
    yield world
    world.close()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def registry(mlflow: Mlflow, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    asked = Registry(Settings(tracking_uri=mlflow.url), lambda: clock[0])
    yield asked
    asked.close()


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A port that takes connections and never answers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield lambda: f"http://127.0.0.1:{listening.getsockname()[1]}"
