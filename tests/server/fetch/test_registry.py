"""Registered models, from a real MLflow tracking server, by the init container's own command."""

import contextlib
import hashlib
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from server import process
from server.fetch import relay
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


def test_a_version_comes_from_the_bucket_that_was_pinned_while_the_registry_is_away(s3, room, shelf):
    import boto3

    store = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    store.create_bucket(Bucket="pinned")
    for path in digest.files(shelf.mlflow_onnx()):
        store.upload_file(str(shelf.mlflow_onnx() / path), "pinned", f"7/model/{path}")
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ENDPOINT_URL": s3}

    code, words, log = fetched(
        room, "models:/iris/7", "http://127.0.0.1:9", FERRYMAN_MODEL_LOCATION="s3://pinned/7/model", **keys
    )

    assert (code, words) == (0, {}), log
    assert digest.files(room / "artifact") == digest.files(shelf.mlflow_onnx())


def test_a_version_comes_from_the_place_that_was_pinned_although_its_number_is_gone(registered, room):
    import mlflow

    client = mlflow.MlflowClient(registered)
    place = client.get_model_version_download_uri("iris", "3")

    code, words, log = fetched(room, "models:/iris/77", registered, FERRYMAN_MODEL_LOCATION=place)

    assert place.startswith("mlflow-artifacts:"), place
    assert (code, words) == (0, {}), log
    assert (room / "artifact/MLmodel").is_file()


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest", "file:///etc", "mlflow-artifacts://other.example/1"]
)
def test_a_place_that_is_not_gone_to_is_not_gone_to_although_it_was_pinned(registered, room, place):
    code, words, _ = fetched(room, "models:/iris/3", registered, FERRYMAN_MODEL_LOCATION=place)

    assert (code, words["reason"]) == (1, "ArtifactForbidden"), words


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


API, LISTING, FILES = (f"/api/2.0/mlflow{rest}" for rest in ("/", "-artifacts/artifacts?", "-artifacts/artifacts/"))


@dataclass
class Before:
    """What stands before the tracking server, and what it does to those who ask."""

    address: str = ""
    refuses: dict[str, int] = field(default_factory=dict)
    """By how a path begins: the status that is answered."""
    forgets_sizes: bool = False
    endless: bool = False
    """A file has no end, and no length is said."""


@pytest.fixture
def before(registered: str) -> Iterator[Before]:
    """The tracking server, behind one that answers in its place where it is told to."""
    told = Before()

    class Gate(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = next((status for begins, status in told.refuses.items() if self.path.startswith(begins)), 0)
            if status:
                self._answer(status, b"no", "text/plain")
                return
            if told.endless and self.path.startswith(FILES):
                self._go_on()
                return
            answer = requests.get(f"{registered}{self.path}", timeout=30)
            body = answer.content
            if told.forgets_sizes and self.path.startswith(LISTING):
                files = answer.json()["files"]
                body = json.dumps({"files": [{**one, "file_size": None} for one in files]}).encode()
                body = body.replace(b', "file_size": null', b"")
            self._answer(answer.status_code, body, answer.headers["Content-Type"])

        def _go_on(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(64 * 1024))

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.address = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()


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
    assert "ended the connection" in log
    assert (room / "artifact/MLmodel").is_file()


@pytest.mark.parametrize(
    ("uri", "port"),
    [("models:/iris/1", 4040), ("models:/iris/403", 9), (f"models:/m-{'404' * 10}01", 9)],
)
def test_a_registry_that_does_not_answer_is_unreachable_whatever_numbers_it_and_the_version_have(room, uri, port):
    with contextlib.suppress(OSError), socket.socket() as taken:
        taken.bind(("127.0.0.1", port))  # and nobody listens there

        code, words, _ = fetched(room, uri, f"http://127.0.0.1:{port}")

    assert code == 1
    assert words["reason"] == "ArtifactUnreachable", words
    assert f"http://127.0.0.1:{port}" in words["message"]


@pytest.mark.parametrize(
    ("begins", "status", "reason"),
    [
        (API, 401, "ArtifactForbidden"),
        (API, 418, "ArtifactUnreachable"),
        (LISTING, 403, "ArtifactForbidden"),
        (LISTING, 404, "ArtifactNotFound"),
        (FILES, 403, "ArtifactForbidden"),
        (FILES, 404, "ArtifactNotFound"),
    ],
)
def test_what_the_registry_answers_has_its_reason_wherever_it_answers_so(before, room, begins, status, reason):
    before.refuses = {begins: status}

    code, words, log = fetched(room, "models:/iris/1", before.address)

    assert (code, words["reason"]) == (1, reason), log


def _logged(registered: str, scratch: Path, content: bytes) -> str:
    """Register a version with one file more than it needs; return what to fetch it by."""
    import mlflow

    client = mlflow.MlflowClient(registered)
    run = client.create_run("0")
    (scratch / "weights.bin").write_bytes(content)
    client.log_artifact(run.info.run_id, str(scratch / "weights.bin"), "model")
    source = f"{run.info.artifact_uri}/model"
    return f"models:/iris/{client.create_model_version('iris', source, run.info.run_id).version}"


def test_a_file_of_the_registry_goes_on_where_it_was_cut_off(registered, room, tmp_path):
    content = os.urandom(700_000)
    uri = _logged(registered, tmp_path, content)

    with relay.before(registered, after=400_000) as line:
        code, words, log = fetched(room, uri, line.address)

    assert (code, words) == (0, {}), log
    assert line.cuts == 1
    assert (room / "artifact/weights.bin").read_bytes() == content


@pytest.mark.parametrize("forgets_sizes", [False, True])
def test_a_version_larger_than_a_model_may_be_is_refused(before, room, forgets_sizes):
    before.forgets_sizes = forgets_sizes

    code, words, log = fetched(room, "models:/iris/1", before.address, FERRYMAN_MAX_ARTIFACT_BYTES="2000")

    assert (code, words["reason"]) == (1, "ArtifactCorrupt"), log
    assert "larger than 2.0 KB" in words["message"]
    assert list(room.iterdir()) == []


def test_a_file_without_an_end_is_stopped_while_it_comes(before, room):
    before.forgets_sizes = before.endless = True

    code, words, log = fetched(room, "models:/iris/1", before.address, FERRYMAN_MAX_ARTIFACT_BYTES="1000000")

    assert (code, words["reason"]) == (1, "ArtifactCorrupt"), log
    assert "larger than 1.0 MB" in words["message"]
    assert list(room.iterdir()) == []


def test_a_version_of_other_bytes_than_were_promised_is_refused(registered, room, tmp_path):
    uri = _logged(registered, tmp_path, b"weights")
    right = "sha256:" + hashlib.sha256(b"weights.bin\x007\x00weights").hexdigest()

    code, words, _ = fetched(room, uri, registered, FERRYMAN_MODEL_DIGEST="sha256:" + "0" * 64)
    assert (code, words["reason"]) == (1, "ArtifactCorrupt")
    assert right in words["message"]
    assert list(room.iterdir()) == []

    code, words, log = fetched(room, uri, registered, FERRYMAN_MODEL_DIGEST=right)
    assert code == 0, log
