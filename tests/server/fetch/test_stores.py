"""Versions whose files lie in Google's or Azure's stores, fetched by the init container's own command."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from server.fetch.azure import Blobs
from server.fetch.command import fetched

from ferryman_server.fetch import digest, stores
from ferryman_server.reason import Reason

ACCOUNT_KEY = "cGxhbnRlZC1rZXktMDQ1MQ=="


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """A server that speaks as Google Cloud Storage does."""
    from gcp_storage_emulator.server import create_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def test_a_version_in_google_cloud_storage_is_fetched_from_there(registered, google, room, shelf, monkeypatch):
    import mlflow
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google)
    bucket = storage.Client(project="tests", credentials=AnonymousCredentials()).create_bucket("mlflow")
    for path in digest.files(shelf.mlflow_onnx()):
        bucket.blob(f"7/model/{path}").upload_from_filename(str(shelf.mlflow_onnx() / path))
    client = mlflow.MlflowClient(registered)
    version = client.create_model_version("iris", "gs://mlflow/7/model").version
    gone = client.create_model_version("iris", "gs://mlflow/8/model").version

    code, words, log = fetched(room, f"models:/iris/{version}", registered, STORAGE_EMULATOR_HOST=google)
    assert (code, words) == (0, {}), log
    assert digest.files(room / "artifact") == digest.files(shelf.mlflow_onnx())

    code, words, log = fetched(room, f"models:/iris/{gone}", registered, STORAGE_EMULATOR_HOST=google)
    assert (code, words["reason"]) == (1, "ArtifactNotFound"), log


def test_googles_client_finds_the_key_that_a_secret_gives(monkeypatch, tmp_path):
    import google.auth

    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "reader@tests.iam.gserviceaccount.com",
        "private_key": private.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
        "project_id": "tests",
    }
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv(stores.KEY, json.dumps(key))

    with stores.credentials():
        found, project = google.auth.default()

    assert (found.service_account_email, project) == (key["client_email"], "tests")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def azure(shelf) -> Iterator[str]:
    """A container with a model in it, and the connection string that leads there."""
    model = shelf.mlflow_onnx()
    Blobs.held = {f"7/model/{path}": (model / path).read_bytes() for path in digest.files(model)}
    Blobs.refuses = False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blobs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = f"http://127.0.0.1:{server.server_port}/account"
    yield f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={ACCOUNT_KEY};BlobEndpoint={where};"
    server.shutdown()
    server.server_close()


def in_azure(registered: str, path: str) -> str:
    import mlflow

    source = f"wasbs://models@account.blob.core.windows.net/{path}"
    return str(mlflow.MlflowClient(registered).create_model_version("iris", source).version)


def test_a_version_in_azures_blob_storage_is_fetched_from_there(registered, azure, room, shelf):
    found, gone = in_azure(registered, "7/model"), in_azure(registered, "8/model")

    code, words, log = fetched(room, f"models:/iris/{found}", registered, AZURE_STORAGE_CONNECTION_STRING=azure)
    assert (code, words) == (0, {}), log
    assert digest.files(room / "artifact") == digest.files(shelf.mlflow_onnx())
    assert ACCOUNT_KEY not in log

    code, words, log = fetched(room, f"models:/iris/{gone}", registered, AZURE_STORAGE_CONNECTION_STRING=azure)
    assert (code, words["reason"]) == (1, "ArtifactNotFound"), log


def test_a_store_that_refuses_is_told_as_such_without_its_key(registered, azure, room):
    Blobs.refuses = True
    version = in_azure(registered, "7/model")

    code, words, log = fetched(room, f"models:/iris/{version}", registered, AZURE_STORAGE_CONNECTION_STRING=azure)

    assert (code, words["reason"]) == (1, "ArtifactForbidden"), log
    assert "pod's Secret" in words["message"]
    assert ACCOUNT_KEY not in log + words["message"]
    assert "Traceback" not in log


def test_a_store_without_a_client_in_the_image_is_told_as_such(registered, room):
    import mlflow

    version = mlflow.MlflowClient(registered).create_model_version("iris", "oss://bucket/7/model").version

    code, words, log = fetched(room, f"models:/iris/{version}", registered)

    assert (code, words["reason"]) == (1, "ArtifactUnreachable"), log
    assert "Could not find a registered artifact repository for: oss://bucket" in words["message"]


class RefreshError(Exception):
    """As google-auth calls one."""


class BotoError(Exception):
    """As botocore tells of a status."""

    @property
    def response(self) -> dict[str, dict[str, int]]:
        return {"ResponseMetadata": {"HTTPStatusCode": 404}}


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (RefreshError("no token"), Reason.ARTIFACT_FORBIDDEN),
        (BotoError("NoSuchBucket"), Reason.ARTIFACT_NOT_FOUND),
        (TimeoutError("no answer"), None),
    ],
)
def test_what_a_clients_error_means_is_found_behind_the_one_that_it_led_to(error, meant):
    outer = RuntimeError("the download failed")
    outer.__cause__ = error

    assert stores.reason(outer) is meant
