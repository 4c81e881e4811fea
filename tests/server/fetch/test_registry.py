"""Registered models, from a real MLflow tracking server, by the init container's own command."""

import http.server
import threading
from collections.abc import Iterator

import pytest
import requests
from server import process
from server.fetch.command import fetched

from ferryman_server.fetch import digest


@pytest.mark.parametrize("version", ["1", "3"])
def test_a_version_is_fetched_and_served(registered, room, tmp_path, shelf, version):
    code, words, log = fetched(room, f"models:/iris/{version}", registered)

    assert (code, words) == (0, {}), log
    assert not (room / "artifact/registered_model_meta").exists()
    with process.server(room, tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        running.until_ready()
        told = running.get("/v2/models/iris").json()
        answer = running.post("/v1/models/iris:predict", {"instances": [[5.1, 3.5, 1.4, 0.2]]})

    assert answer.json() == {"predictions": [0]}
    assert told["parameters"]["uri"] == f"models:/iris/{version}"
    assert told["parameters"]["digest"].startswith("sha256:")
    assert told["outputs"] == [{"name": "predict", "datatype": "INT64", "shape": [-1]}]


def test_a_version_whose_files_lie_in_a_bucket_is_fetched_from_there(registered, s3, room, shelf):
    import boto3
    import mlflow

    store = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    store.create_bucket(Bucket="mlflow")
    for path in digest.files(shelf.mlflow_onnx()):
        store.upload_file(str(shelf.mlflow_onnx() / path), "mlflow", f"7/model/{path}")
    client = mlflow.MlflowClient(registered)
    version = client.create_model_version("iris", "s3://mlflow/7/model").version
    gone = client.create_model_version("iris", "s3://mlflow/8/model").version
    keys = {"AWS_ACCESS_KEY_ID": "planted-id-0451", "AWS_SECRET_ACCESS_KEY": "planted-key-0451"}

    code, words, log = fetched(room, f"models:/iris/{version}", registered, AWS_ENDPOINT_URL=s3, **keys)
    assert (code, words) == (0, {}), log
    assert digest.files(room / "artifact") == digest.files(shelf.mlflow_onnx())
    assert "planted" not in log

    code, words, log = fetched(room, f"models:/iris/{gone}", registered, AWS_ENDPOINT_URL=s3, **keys)
    assert (code, words["reason"]) == (1, "ArtifactNotFound"), log


def test_a_logged_model_is_fetched_by_its_own_id(registered, room):
    import mlflow

    uri = mlflow.MlflowClient(registered).get_model_version("iris", "3").source

    code, words, log = fetched(room, uri, registered)

    assert uri.startswith("models:/m-")
    assert (code, words) == (0, {}), log
    assert (room / "artifact/MLmodel").is_file()


@pytest.mark.parametrize("uri", ["models:/iris/99", "models:/rose/1", "models:/iris/2", f"models:/m-{'0' * 32}"])
def test_what_the_registry_has_not_is_not_found(registered, room, uri):
    code, words, log = fetched(room, uri, registered)

    assert code == 1
    assert words["reason"] == "ArtifactNotFound", words
    assert f'"{uri.split("/")[1]}"' in words["message"]
    assert "Traceback" not in log


@pytest.fixture
def frail(registered: str) -> Iterator[str]:
    """The tracking server behind a line that breaks in the middle of each file, the first time it is asked for."""
    broken: set[str] = set()

    class Line(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = requests.get(f"{registered}{self.path}", timeout=30)
            body = answer.content
            if "/mlflow-artifacts/artifacts/" in self.path and self.path not in broken:
                broken.add(self.path)
                body = body[: len(body) // 2]
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Line)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_that_were_cut_off_are_asked_for_again(frail, room):
    code, words, log = fetched(room, "models:/iris/1", frail)

    assert (code, words) == (0, {}), log
    assert "files did not come" in log
    assert (room / "artifact/MLmodel").is_file()


def test_a_registry_that_does_not_answer_is_unreachable(room):
    code, words, _ = fetched(room, "models:/iris/1", "http://127.0.0.1:9")

    assert code == 1
    assert words["reason"] == "ArtifactUnreachable"
    assert "http://127.0.0.1:9" in words["message"]
