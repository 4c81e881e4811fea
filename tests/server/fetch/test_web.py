"""What comes from the web: whole, cut off and gone on with, or refused; and how far it is."""

import hashlib
import http.server
import io
import tarfile
import threading

import pytest
from server.fetch.fetching import fetch, refused
from server.fetch.shops import Cutting, cutting

from ferryman_server import manifest as manifests
from ferryman_server.fetch import digest, progress
from ferryman_server.reason import Reason


def test_a_file_from_the_web_arrives_with_its_digest(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")

    fetched = fetch(room, f"{address}/model.onnx?signature=secret")

    assert fetched.uri == f"{address}/model.onnx"
    assert fetched.files == {"model.onnx": 5}
    assert fetched.digest == "sha256:" + hashlib.sha256(b"graph").hexdigest()
    assert (room / "artifact/model.onnx").read_bytes() == b"graph"
    assert "secret" not in (room / manifests.NAME).read_text()


def test_an_archive_is_unpacked_and_its_wrapping_directory_means_nothing(shop, room, shelf):
    address, goods = shop
    with tarfile.open(goods / "model.tar.gz", "w:gz") as bundle:
        bundle.add(shelf.mlflow_onnx(), "model")

    fetched = fetch(room, f"{address}/model.tar.gz")

    assert "MLmodel" in fetched.files
    assert fetched.digest == digest.of_file(goods / "model.tar.gz")


@pytest.mark.parametrize(
    ("path", "reason", "told"),
    [
        ("missing.onnx", Reason.ARTIFACT_NOT_FOUND, "404"),
        ("forbidden.onnx", Reason.ARTIFACT_FORBIDDEN, "403"),
        ("broken.onnx", Reason.ARTIFACT_UNREACHABLE, "500"),
        ("short.onnx", Reason.ARTIFACT_CORRUPT, "did not come whole"),
        ("empty.onnx", Reason.ARTIFACT_CORRUPT, "it is empty"),
    ],
)
def test_what_the_web_does_wrong_has_a_reason(shop, room, path, reason, told):
    address, _ = shop

    error = refused(room, f"{address}/{path}")

    assert error.reason is reason
    assert told in error.message


def test_a_host_that_does_not_answer_is_unreachable(room):
    error = refused(room, "http://127.0.0.1:9/model.onnx")

    assert error.reason is Reason.ARTIFACT_UNREACHABLE


KEPT = 300_000 // 65536 * 65536
"""What is kept of such an answer: whole pieces."""


def test_a_file_that_is_cut_off_goes_on_where_it_was(impatient, room):
    with cutting('"one"') as (address, server):
        fetched = fetch(room, address)

    assert server.asked == ["", *(f"bytes={times * KEPT}-" for times in (1, 2, 3))]
    assert fetched.digest == f"sha256:{hashlib.sha256(Cutting.body).hexdigest()}"


def test_a_file_that_was_replaced_meanwhile_is_begun_anew(impatient, room):
    with cutting('"one"', '"two"') as (address, server):
        fetched = fetch(room, address)

    assert server.asked[:3] == ["", f"bytes={KEPT}-", f"bytes={KEPT}-"]
    assert fetched.digest == f"sha256:{hashlib.sha256(Cutting.body[::-1]).hexdigest()}"


def test_a_file_that_cannot_be_gone_on_with_is_given_up_soon(impatient, room):
    with cutting("") as (address, server):
        error = refused(room, address)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "did not come whole: the connection ended 3 times" in str(error)
    assert server.asked == ["", "", ""]


@pytest.mark.parametrize(
    ("here", "total", "seconds", "said"),
    [
        (1_500_000, 0, 3, "1.5 MB after 3 s"),
        (0, 6_000_000, 3, "0 B after 3 s"),
        (1_500_000, 6_000_000, 3, "1.5 MB of 6.0 MB (25%) after 3 s, about 9 s left"),
        (9_000_000, 6_000_000, 3, "9.0 MB after 3 s"),
    ],
)
def test_progress_says_how_far_and_how_long(here, total, seconds, said):
    assert progress.told(here, total, seconds) == said


class Ear(io.StringIO):
    """A log that somebody reads, until it says something."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self.awaited, self.heard = awaited, threading.Event()

    def write(self, said: str) -> int:
        if self.awaited in said:
            self.heard.set()
        return super().write(said)


def test_who_reads_the_log_sees_how_far_a_download_is(room, monkeypatch):
    ear = Ear("65.5 KB of 131.1 KB (50%) after ")
    monkeypatch.setattr("sys.stderr", ear)
    monkeypatch.setattr(progress, "_EVERY", 0.02)

    class Halting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(2 * 65536))
            self.end_headers()
            self.wfile.write(bytes(65536))
            if ear.heard.wait(20):  # else the file stays half
                self.wfile.write(bytes(65536))

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Halting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fetched = fetch(room, f"http://127.0.0.1:{server.server_port}/model.onnx")
    server.shutdown()
    server.server_close()

    assert fetched.bytes == 2 * 65536
    assert f"Fetching {fetched.uri}: {ear.awaited}" in ear.getvalue()


def test_more_bytes_than_a_model_may_be_are_not_written(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"x" * 1000)

    error = refused(room, f"{address}/model.onnx", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert list(room.iterdir()) == []
