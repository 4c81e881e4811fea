"""Fixtures of the model server's tests: real models, real servers, loopback only."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import iris, process

# The library asks for updates and reports its use unless told not to; tests talk to loopback only.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
# Older servers let a version's location name any host, and so must the one that is tested against.
os.environ.setdefault("MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES", "http,ftp")


def pytest_configure(config: pytest.Config) -> None:
    """MLflow's advice to authors of models is not about these tests."""
    config.addinivalue_line("filterwarnings", "ignore::UserWarning:mlflow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the tracking server goes last, so that it comes up meanwhile."""
    items.sort(key=lambda item: "tracking_server" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> iris.Shelf:
    """Models on disk, each made once."""
    return iris.Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session", autouse=True)
def tracking(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[process.Tracking | None]:
    """A real MLflow server, started before the first test if any needs it: it takes its time to come up."""
    needed = any("tracking_server" in getattr(item, "fixturenames", ()) for item in request.session.items)
    server = process.Tracking(tmp_path_factory.mktemp("mlflow")) if needed else None
    yield server
    if server:
        server.stop()


@pytest.fixture(scope="session")
def tracking_server(tracking: process.Tracking) -> str:
    """The address of the MLflow server, once it answers."""
    return tracking.address()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on loopback, with credentials in the environment as a Secret would give them."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The S3 server, and this process's environment set for it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return s3_endpoint


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """An empty model directory, as an emptyDir volume is."""
    directory = tmp_path / "model"
    directory.mkdir()
    return directory


_SLOW = """
import time
import mlflow

class Slow(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        time.sleep(float(model_input["seconds"].max()))
        return model_input["seconds"].to_numpy()

mlflow.models.set_model(Slow())
"""


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes as long as it is told."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    root = tmp_path_factory.mktemp("slow")
    (root / "slow.py").write_text(_SLOW)
    signature = ModelSignature(Schema([ColSpec("double", "seconds")]))
    mlflow.pyfunc.save_model(
        root / "model", python_model=str(root / "slow.py"), signature=signature, pip_requirements=["mlflow"]
    )
    return root / "model"
