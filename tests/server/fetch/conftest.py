"""What tests of fetching share: a registry, a shop on the web, buckets."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from server.fetch.shops import Shop

from ferryman_server.fetch import digest


@pytest.fixture(scope="session")
def registered(tracking_server: str, shelf) -> str:
    """A model named iris with one version whose files are there, and one whose files are gone."""
    import mlflow

    mlflow.set_tracking_uri(tracking_server)
    mlflow.set_experiment("tests")
    client = mlflow.MlflowClient()
    client.create_registered_model("iris")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(shelf.mlflow_sklearn()), "model")
    client.create_model_version("iris", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.create_model_version("iris", f"{run.info.artifact_uri}/gone", run.info.run_id)
    mlflow.sklearn.log_model(
        shelf.named_pipeline, name="logged", registered_model_name="iris", signature=shelf.signature,
        pip_requirements=["scikit-learn"],
    )  # fmt: skip
    return tracking_server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    goods = tmp_path / "goods"
    goods.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Shop(*args, directory=str(goods)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", goods
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferryman_server.fetch.patience.LONGEST_WAIT", 0.01)


@pytest.fixture
def bucket(s3: str, shelf, request: pytest.FixtureRequest) -> str:
    import boto3

    name = f"b{abs(hash(request.node.name))}"
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    for path, size in digest.files(shelf.mlflow_onnx()).items():
        assert size
        client.upload_file(str(shelf.mlflow_onnx() / path), name, f"models/iris/{path}")
    client.put_object(Bucket=name, Key="models/iris-other/file", Body=b"not ours")
    client.put_object(Bucket=name, Key="single/model.onnx", Body=b"graph")
    return name
