"""A tracking server for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tracking as mlflow
from mlflow.tracking import MlflowClient


@pytest.fixture(scope="session")
def direct() -> Iterator[None]:
    """No proxy stands between this machine and itself."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory, direct: None) -> Iterator[MlflowClient]:
    """A tracking server with a client; `fraud` has two versions, from nowhere."""
    with mlflow.server(tmp_path_factory.mktemp("mlflow")) as client:
        client.create_registered_model("fraud")
        for version in ("1", "2"):
            client.create_model_version("fraud", source=f"s3://models/{version}")
        yield client
