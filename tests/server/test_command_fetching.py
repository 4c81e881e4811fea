"""A model from elsewhere, for a person: fetched once, kept, shown on its way; from real servers on loopback."""

import http.server
import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import commanding, iris

from ferryman_server.command import fetching, place
from ferryman_server.reason import FatalError, Reason


class Shop(http.server.BaseHTTPRequestHandler):
    """Gives one file; a slow one stops in its middle until somebody has seen that half of it came."""

    goods = b""
    half_sent = threading.Event()
    seen = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.goods)))
        self.end_headers()
        half = len(self.goods) // 2
        self.wfile.write(self.goods[:half])
        if self.path.startswith("/slow"):
            self.half_sent.set()
            self.seen.wait(60)
        self.wfile.write(self.goods[half:])

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def shop() -> Iterator[tuple[str, type[Shop]]]:
    class Own(Shop):
        half_sent = threading.Event()
        seen = threading.Event()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Own
    server.shutdown()
    server.server_close()


def _fetched(uri: str, home: Path, *, refresh: bool = False, **more: str) -> bytes:
    """Fetch into this home's cache; the one file of the model."""
    env = commanding.environment(home, FERRYMAN_ALLOW_HTTP="true", **more)
    where = place.find(uri, {"XDG_CACHE_HOME": str(home)})
    fetching.fetch(where, env, refresh=refresh)
    [file] = (where.path / "artifact").iterdir()
    return file.read_bytes()


def test_a_model_is_fetched_once_and_again_when_it_is_asked_for(shop, tmp_path, capfd):
    address, own = shop
    uri = f"{address}/model.onnx?signature=secret"
    own.goods = b"first"
    first = _fetched(uri, tmp_path)
    own.goods = b"second"
    kept = _fetched(uri, tmp_path)
    said = capfd.readouterr().err
    fresh = _fetched(uri, tmp_path, refresh=True)

    assert (first, kept, fresh) == (b"first", b"first", b"second")
    assert f"Using the copy of {address}/model.onnx that was fetched" in said
    assert said.endswith("seconds ago; --refresh fetches it again.\n")
    assert "secret" not in said


def test_a_copy_outlives_a_fetch_that_fails(shop, tmp_path):
    address, own = shop
    own.goods = b"first"
    _fetched(f"{address}/model.onnx", tmp_path)
    own.goods = b""
    with pytest.raises(FatalError) as refused:
        _fetched(f"{address}/model.onnx", tmp_path, refresh=True)

    assert refused.value.reason is Reason.ARTIFACT_CORRUPT
    assert _fetched(f"{address}/model.onnx", tmp_path) == b"first"


def test_a_person_may_fetch_from_the_private_host_that_they_name(shop, tmp_path):
    address, own = shop
    own.goods = b"here"

    assert _fetched(f"{address}/model.onnx", tmp_path) == b"here"
    with pytest.raises(FatalError) as refused:
        _fetched(f"{address}/other.onnx", tmp_path, FERRYMAN_PRIVATE_HOSTS="elsewhere.example.com")
    assert refused.value.reason is Reason.ARTIFACT_FORBIDDEN


def test_a_fetch_that_breaks_off_without_a_word_is_told_by_what_it_wrote_last(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(FatalError) as refused:
        fetching.step("ferryman_server.no_such_program", commanding.environment(tmp_path), "Fetching it")

    assert refused.value.message.startswith("Fetching it ended with exit code 1: ")
    assert "No module named ferryman_server.no_such_program" in refused.value.message


def test_the_terminal_shows_how_much_has_come(shop, tmp_path):
    address, own = shop
    own.goods = b"x" * 4 * 1024 * 1024  # a download is written a megabyte at a time
    ours, theirs = pty.openpty()
    popen = subprocess.Popen(
        commanding.command("--model", f"{address}/slow.onnx", "--port", 0),
        env=commanding.environment(tmp_path, FERRYMAN_ALLOW_HTTP="true", COLUMNS="100", LINES="20"),
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while f"Fetching {address}/slow.onnx 2.1 MB".encode() not in shown:
            assert select.select([ours], [], [], 60)[0], shown
            shown += os.read(ours, 65536)
        own.seen.set()
        while b"4.2 MB in" not in shown:
            assert select.select([ours], [], [], 60)[0], shown
            shown += os.read(ours, 65536)
    finally:
        own.seen.set()
        popen.kill()
        popen.wait()
        os.close(ours)

    assert f"Fetched {address}/slow.onnx: 1 files, 4.2 MB in" in shown.decode()


@pytest.fixture
def ctrl_c():
    """A shell lets what it runs in the background, such as these tests, ignore Ctrl-C; a person's does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_fetch_without_a_word(shop, tmp_path):
    address, own = shop
    own.goods = b"x" * 4 * 1024 * 1024
    popen = subprocess.Popen(
        commanding.command("--model", f"{address}/slow.onnx", "--port", 0),
        env=commanding.environment(tmp_path, FERRYMAN_ALLOW_HTTP="true"),
        stderr=subprocess.PIPE, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    assert popen.stderr
    assert own.half_sent.wait(60)
    os.killpg(popen.pid, signal.SIGINT)  # as a terminal does: to all that run in it
    said = popen.stderr.read().decode()  # to the end: nobody is left who could write
    own.seen.set()

    assert popen.wait(30) == 130, said
    assert re.fullmatch(r"\S+ Fetching http://\S+\n", said)


def test_an_object_in_s3_is_served(s3, shelf, tmp_path):
    import boto3

    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="laptop")
    client.upload_file(str(shelf.onnx() / "model.onnx"), "laptop", "iris/v1/model.onnx")
    credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    with commanding.served(tmp_path, "--model", "s3://laptop/iris/v1", "--name", "iris", **credentials) as server:
        status, answer = server.ask()

    assert status == 200
    assert [sorted(one) for one in json.loads(answer)["predictions"]] == [["label", "probabilities"]]
    assert (tmp_path / ".cache/ferryman/models").is_dir()


def test_an_alias_of_the_registry_is_served_by_its_name_and_version(tracking_server, shelf, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(tracking_server)
    mlflow.set_experiment("laptop")
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            shelf.named_pipeline, name="logged", registered_model_name="flowers", signature=shelf.signature,
            pip_requirements=["scikit-learn"],
        )  # fmt: skip
    mlflow.MlflowClient().set_registered_model_alias("flowers", "champion", "1")
    address = {"MLFLOW_TRACKING_URI": tracking_server}

    with commanding.served(
        tmp_path, "--model", "models:/flowers@champion", "--no-optimize", "--allow-pickle", **address
    ) as server:
        status, answer = server.ask()
        v2 = server.get("/v2/models/flowers")
    code, said = commanding.ends(tmp_path, "--model", "models:/flowers@nobody", "--port", 0, **address)

    assert (status, json.loads(answer)) == (200, {"predictions": [iris.KINDS[0]]})
    assert v2["versions"] == ["1"]
    assert (code, said.count("\n")) == (1, 2)
    assert "models:/flowers@nobody leads to no version" in said


def test_a_registry_that_nobody_named_is_asked_for_by_its_variable(tmp_path):
    code, said = commanding.ends(tmp_path, "--model", "models:/flowers@champion", "--port", 0)

    assert code == 1
    assert "MLFLOW_TRACKING_URI is not set" in said
