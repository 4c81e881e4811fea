"""MLflow's own tracking server, for the tests that ask it or tell it something."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ferryman.registry.client import prepare
from ferryman.settings import Settings

SERVER = Path(__file__).parents[2] / ".venv-server" / "bin" / "python"
START_SECONDS = 90.0


@pytest.fixture(scope="session")
def direct() -> Iterator[None]:
    """No proxy stands between this machine and itself."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory, direct: None) -> Iterator[MlflowClient]:
    """A tracking server over SQLite, with a client; `fraud` has two versions, from nowhere."""
    place = tmp_path_factory.mktemp("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [SERVER, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "files")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, **quiet}
    url = f"http://127.0.0.1:{port}"
    with (place / "log").open("w") as log:
        server = subprocess.Popen([*command, *store], env=environment, cwd=place, stdout=log, stderr=log)
        try:
            healthy(server, url, place / "log")
            prepare(Settings().registry_timeout_seconds)
            client = MlflowClient(tracking_uri=url, registry_uri=url)
            client.create_registered_model("fraud")
            for version in ("1", "2"):
                client.create_model_version("fraud", source=f"s3://models/{version}")
            yield client
        finally:
            server.terminate()
            server.wait(30)


def healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(f"{url}/health", timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the tracking server does not start: {log.read_text()[-2000:]}")
