"""Where a version's files may lie: whoever registers one does not choose who sees the pod's credentials."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from server.fetch.command import fetched

from ferryman_server.fetch import location

SERVER = "https://mlflow.example.com/registry"


@pytest.mark.parametrize(
    ("where", "server"),
    [
        ("mlflow-artifacts:/1/models/m-1/artifacts", SERVER),
        ("mlflow-artifacts:///1/models", SERVER),
        ("mlflow-artifacts://mlflow.example.com/1/models", SERVER),
        ("mlflow-artifacts://mlflow.example.com:443/1/models", SERVER),
        ("https://mlflow.example.com/registry/api/2.0/mlflow-artifacts/artifacts/1/models", SERVER),
        ("http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/1", "http://127.0.0.1:5000/"),
        ("http://MLFLOW/api/2.0/mlflow-artifacts/artifacts", "http://me:secret@mlflow:80"),
        ("s3://bucket/1/models", SERVER),
        ("gs://bucket/1/models", SERVER),
        ("wasbs://container@account.blob.core.windows.net/1", SERVER),
        ("runs:/0a1b/model", SERVER),
        ("models:/m-0a1b", SERVER),
        ("/home/me/mlruns/1/models", "sqlite:///mlflow.db"),
        ("file:///home/me/mlruns/1/models", "file:///home/me/mlruns"),
    ],
)
def test_the_tracking_server_and_buckets_are_gone_to(where, server):
    assert location.refusal(where, server) == ""


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("mlflow-artifacts://evil.example.net/1", "evil.example.net"),
        ("mlflow-artifacts://mlflow.example.com:8443/1", "mlflow.example.com:8443"),
        ("mlflow-artifacts://mlflow.example.com:no/1", "mlflow.example.com:no"),
        ("mlflow-artifacts://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("https://evil.example.net/registry/api/2.0/mlflow-artifacts/artifacts/1", "evil.example.net"),
        ("http://mlflow.example.com/registry/api/2.0/mlflow-artifacts/artifacts/1", "mlflow.example.com"),
        ("https://mlflow.example.com/api/2.0/mlflow-artifacts/artifacts/1", "mlflow.example.com"),
        ("https://mlflow.example.com/registry/api/2.0/mlflow-artifacts/artifacts-of/1", "mlflow.example.com"),
        (
            "https://mlflow.example.com\\@evil.example.net/registry/api/2.0/mlflow-artifacts/artifacts/1",
            "evil.example.net",
        ),
        ("https://evil@mlflow.example.com/registry/api/2.0/mlflow-artifacts/artifacts/1", "mlflow.example.com"),
        ("https:///registry/api/2.0/mlflow-artifacts/artifacts/1", "tracking server"),
        ("abfss://fs@account.dfs.core.windows.net/1", "abfss://account.dfs.core.windows.net"),
        ("ftp://me:secret@evil.example.net/1", "ftp://evil.example.net"),
        ("dbfs:/models/1", "dbfs://"),
        ("runs://profile@databricks/0a1b/model", "runs://databricks"),
        ("file:///etc", "this pod has not"),
        ("/etc", "this pod has not"),
    ],
)
def test_no_other_place_that_a_location_names_is(where, told):
    refused = location.refusal(where, SERVER)

    assert told in refused
    assert "secret" not in refused


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str | None]]]:
    """A host that is not the tracking server, and what it was shown by those who came."""
    shown: list[str | None] = []

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", shown
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("where", ["http://{}/model", "ftp://{}/model"])
def test_a_host_that_a_version_names_is_never_shown_the_token(registered, stranger, room, where):
    import mlflow

    host, shown = stranger
    version = mlflow.MlflowClient(registered).create_model_version("iris", where.format(host)).version

    code, words, log = fetched(
        room, f"models:/iris/{version}", registered, MLFLOW_TRACKING_TOKEN="planted-token-0451"
    )

    assert shown == []
    assert (code, words["reason"]) == (1, "ArtifactForbidden"), log
    assert host in words["message"]


def test_a_run_that_leads_to_such_a_host_is_not_followed_there(registered, stranger, room):
    import mlflow

    host, shown = stranger
    client = mlflow.MlflowClient(registered)
    experiment = client.create_experiment(f"at {host}", f"http://{host}/api/2.0/mlflow-artifacts/artifacts/1")
    run = client.create_run(experiment).info.run_id
    version = client.create_model_version("iris", f"runs:/{run}/model", run).version

    code, words, log = fetched(
        room, f"models:/iris/{version}", registered, MLFLOW_TRACKING_TOKEN="planted-token-0451"
    )

    assert shown == []
    assert (code, words["reason"]) == (1, "ArtifactForbidden"), log
    assert host in words["message"]
