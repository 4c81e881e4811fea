"""MLflow's own tracking server, as a process: for tests that ask it or tell it something."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mlflow.tracking import MlflowClient

from ferryman.registry.client import prepare
from ferryman.settings import Settings

SERVER = Path(__file__).parents[1] / ".venv-server" / "bin" / "python"
START_SECONDS = 90.0


@contextmanager
def server(place: Path) -> Iterator[MlflowClient]:
    """Start a tracking server over SQLite in a directory, and return its client."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [SERVER, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "files")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    url = f"http://127.0.0.1:{port}"
    with (place / "log").open("w") as log:
        process = subprocess.Popen([*command, *store], env={**os.environ, **quiet}, cwd=place, stdout=log, stderr=log)
        try:
            _healthy(process, url, place / "log")
            prepare(Settings())
            yield MlflowClient(tracking_uri=url, registry_uri=url)
        finally:
            process.terminate()
            process.wait(30)


def registered(client: MlflowClient, name: str, place: Path, signature: dict[str, Any] | None, **tags: str) -> str:
    """Register a version that lies in the server's own store, with a signature or without; return its URI."""
    run = client.create_run("0")
    flavors = {"sklearn": {"sklearn_version": "1.9.1"}, "python_function": {"loader_module": "mlflow.sklearn"}}
    body: dict[str, Any] = {"flavors": flavors}
    (place / "MLmodel").write_text(yaml.safe_dump({**body, **({"signature": signature} if signature else {})}))
    client.log_artifact(run.info.run_id, str(place / "MLmodel"), "model")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, tags=tags)
    return f"models:/{name}/{version.version}"


def _healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            opener.open(f"{url}/health", timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the tracking server does not start: {log.read_text()[-2000:]}")
