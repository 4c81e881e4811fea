"""A fetch as the init container does it: from real servers on loopback, into an empty volume."""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from server.fetch import relay

from ferryman_server import manifest as manifests
from ferryman_server import settings as contract
from ferryman_server.fetch import digest, progress, run
from ferryman_server.fetch import s3 as s3_fetch
from ferryman_server.reason import FatalError, Reason

SETTINGS = contract.Settings("iris", allow_http=True, private_hosts=("127.0.0.1",))


class Shop(http.server.SimpleHTTPRequestHandler):
    """Serves a directory, and misbehaves at a few paths."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/forbidden.onnx":
                self.send_error(403)
            case "/broken.onnx":
                self.send_error(500)
            case "/short.onnx":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"only this")
            case "/empty.onnx":
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                super().do_GET()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    goods = tmp_path / "goods"
    goods.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Shop(*args, directory=str(goods)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", goods
    server.shutdown()
    server.server_close()


def _fetch(room: Path, uri: str, **more: object) -> manifests.Manifest:
    return run.run(replace(SETTINGS, model_uri=uri, model_dir=room, **more))  # type: ignore[arg-type]


def _refused(room: Path, uri: str, **more: object) -> FatalError:
    with pytest.raises(FatalError) as refused:
        _fetch(room, uri, **more)
    assert manifests.read(room) is None
    return refused.value


# --- the web ---


def test_a_file_from_the_web_arrives_with_its_digest(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")

    fetched = _fetch(room, f"{address}/model.onnx?signature=secret")

    assert fetched.uri == f"{address}/model.onnx"
    assert fetched.files == {"model.onnx": 5}
    assert fetched.digest == "sha256:" + hashlib.sha256(b"graph").hexdigest()
    assert (room / "artifact/model.onnx").read_bytes() == b"graph"
    assert "secret" not in (room / manifests.NAME).read_text()


def test_an_archive_is_unpacked_and_its_wrapping_directory_means_nothing(shop, room, shelf):
    address, goods = shop
    with tarfile.open(goods / "model.tar.gz", "w:gz") as bundle:
        bundle.add(shelf.mlflow_onnx(), "model")

    fetched = _fetch(room, f"{address}/model.tar.gz")

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

    error = _refused(room, f"{address}/{path}")

    assert error.reason is reason
    assert told in error.message


def test_a_host_that_does_not_answer_is_unreachable(room):
    error = _refused(room, "http://127.0.0.1:9/model.onnx")

    assert error.reason is Reason.ARTIFACT_UNREACHABLE


KEPT = 300_000 // 65536 * 65536
"""What is kept of such an answer: whole pieces."""


class Cutting(http.server.BaseHTTPRequestHandler):
    """Serves a file of 1 MB and breaks off after 300 kB of each answer."""

    body = bytes(range(250)) * 4000
    marks: tuple[str, ...] = ('"one"',)
    """The file's ETag at each request in turn; the last one stays. A file with another one has other bytes."""
    asked: list[str]

    def do_GET(self) -> None:
        mark = self.marks[min(len(self.asked), len(self.marks) - 1)]
        body = self.body if mark in {self.marks[0], ""} else self.body[::-1]
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.headers["If-Range"] == mark else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if mark:
            self.send_header("ETag", mark)
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        self.wfile.write(body[begin : begin + 300_000])

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def cutting(*marks: str) -> Iterator[tuple[str, type[Cutting]]]:
    kind = type("Cutting", (Cutting,), {"marks": marks, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/model.onnx", kind
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferryman_server.fetch.patience.LONGEST_WAIT", 0.01)


def test_a_file_that_is_cut_off_goes_on_where_it_was(impatient, room):
    with cutting('"one"') as (address, server):
        fetched = _fetch(room, address)

    assert server.asked == ["", *(f"bytes={times * KEPT}-" for times in (1, 2, 3))]
    assert fetched.digest == f"sha256:{hashlib.sha256(Cutting.body).hexdigest()}"


def test_a_file_that_was_replaced_meanwhile_is_begun_anew(impatient, room):
    with cutting('"one"', '"two"') as (address, server):
        fetched = _fetch(room, address)

    assert server.asked[:3] == ["", f"bytes={KEPT}-", f"bytes={KEPT}-"]
    assert fetched.digest == f"sha256:{hashlib.sha256(Cutting.body[::-1]).hexdigest()}"


def test_a_file_that_cannot_be_gone_on_with_is_given_up_soon(impatient, room):
    with cutting("") as (address, server):
        refused = _refused(room, address)

    assert refused.reason is Reason.ARTIFACT_CORRUPT
    assert "did not come whole: the connection ended 3 times" in str(refused)
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
    fetched = _fetch(room, f"http://127.0.0.1:{server.server_port}/model.onnx")
    server.shutdown()
    server.server_close()

    assert fetched.bytes == 2 * 65536
    assert f"Fetching {fetched.uri}: {ear.awaited}" in ear.getvalue()


def test_more_bytes_than_a_model_may_be_are_not_written(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"x" * 1000)

    error = _refused(room, f"{address}/model.onnx", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert list(room.iterdir()) == []


# --- the digest, and being killed ---


def test_other_bytes_than_were_promised_are_refused(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    right = "sha256:" + hashlib.sha256(b"graph").hexdigest()

    error = _refused(room, f"{address}/model.onnx", model_digest="sha256:" + "0" * 64)
    fetched = _fetch(room, f"{address}/model.onnx", model_digest=right)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert right in error.message
    assert fetched.digest == right


def test_a_trees_digest_covers_names_and_contents(tmp_path):
    first, second, third = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    for root, name, content in ((first, "a", b"x"), (second, "a", b"y"), (third, "b", b"x")):
        root.mkdir()
        (root / name).write_bytes(content)

    digests = {digest.of_tree(root) for root in (first, second, third)}

    assert len(digests) == 3
    assert digest.of_tree(first) == "sha256:" + hashlib.sha256(b"a\x001\x00x").hexdigest()


def test_a_second_run_finds_everything_here(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    first = _fetch(room, f"{address}/model.onnx")
    (goods / "model.onnx").unlink()

    assert _fetch(room, f"{address}/model.onnx") == first


def test_the_leftovers_of_a_killed_run_are_not_believed(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    (room / ".incoming-dead/landing").mkdir(parents=True)
    (room / "artifact").mkdir()
    (room / "artifact/model.onnx").write_bytes(b"gra")
    (room / f"{manifests.NAME}.draft").write_text("{")

    _fetch(room, f"{address}/model.onnx")

    assert (room / "artifact/model.onnx").read_bytes() == b"graph"
    assert not (room / ".incoming-dead").exists()


def test_an_artefact_that_was_damaged_since_is_fetched_again(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    _fetch(room, f"{address}/model.onnx")
    (room / "artifact/model.onnx").write_bytes(b"gr")

    _fetch(room, f"{address}/model.onnx")

    assert (room / "artifact/model.onnx").read_bytes() == b"graph"


# --- a volume ---


def test_a_claim_gives_a_directory_or_a_file(tmp_path, room):
    (tmp_path / "claim/models/a").mkdir(parents=True)
    (tmp_path / "claim/models/a/model.onnx").write_bytes(b"graph")

    tree = _fetch(room, "pvc://claim/models", pvc_mount=tmp_path / "claim")
    file = _fetch(room, "pvc://claim/models/a/model.onnx", pvc_mount=tmp_path / "claim")

    assert tree.files == {"a/model.onnx": 5}
    assert file.files == {"model.onnx": 5}
    assert (tree.digest, file.digest) == (
        digest.of_tree(tmp_path / "claim/models"),
        digest.of_file(tmp_path / "claim/models/a/model.onnx"),
    )


def test_a_claim_cannot_be_left_by_a_link(tmp_path, room):
    (tmp_path / "claim/m").mkdir(parents=True)
    (tmp_path / "claim/m/model.onnx").symlink_to("/etc/hostname")

    error = _refused(room, "pvc://claim/m", pvc_mount=tmp_path / "claim")

    assert error.reason is Reason.ARTIFACT_FORBIDDEN


@pytest.mark.parametrize(
    ("path", "mount", "reason"),
    [("nothing", "claim", Reason.ARTIFACT_NOT_FOUND), ("m", "unmounted", Reason.ARTIFACT_UNREACHABLE)],
)
def test_a_claim_without_the_model_says_so(tmp_path, room, path, mount, reason):
    (tmp_path / "claim").mkdir()

    assert _refused(room, f"pvc://claim/{path}", pvc_mount=tmp_path / mount).reason is reason


# --- S3 ---


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


def test_a_prefix_gives_a_tree_and_a_key_gives_a_file(bucket, room, shelf):
    tree = _fetch(room, f"s3://{bucket}/models/iris")
    file = _fetch(room, f"s3://{bucket}/single/model.onnx")

    assert tree.files == digest.files(shelf.mlflow_onnx())
    assert tree.digest == digest.of_tree(shelf.mlflow_onnx())
    assert file.files == {"model.onnx": 5}
    assert file.digest == "sha256:" + hashlib.sha256(b"graph").hexdigest()


def test_an_empty_prefix_and_a_missing_bucket_are_not_found(bucket, room):
    for uri in (f"s3://{bucket}/models/rose", "s3://no-such-bucket/models"):
        assert _refused(room, uri).reason is Reason.ARTIFACT_NOT_FOUND


def test_s3_without_credentials_names_the_secret(s3, room, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    error = _refused(room, "s3://bucket/model")

    assert error.reason is Reason.ARTIFACT_FORBIDDEN
    assert "Secret" in error.message


def test_an_s3_endpoint_that_does_not_answer_is_named(s3, room, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    error = _refused(room, "s3://bucket/model")

    assert error.reason is Reason.ARTIFACT_UNREACHABLE
    assert "http://127.0.0.1:9" in error.message


def _put(s3: str, content: bytes) -> tuple[str, Callable[[bytes], object]]:
    """Make a bucket with one object; return its address, and how to replace it."""
    import boto3

    client, name = boto3.client("s3", endpoint_url=s3, region_name="us-east-1"), f"big{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    replace = functools.partial(client.put_object, Bucket=name, Key="big/weights.bin")
    replace(Body=content)
    return f"s3://{name}/big", lambda content: replace(Body=content)


@pytest.mark.parametrize("part", [s3_fetch._PART, 128 * 1024])
def test_an_object_goes_on_where_it_was_cut_off(s3, room, impatient, monkeypatch, part):
    content = os.urandom(1_000_000)
    uri, _ = _put(s3, content)
    monkeypatch.setattr(s3_fetch, "_PART", part)

    with relay.before(s3, after=300_000) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        fetched = _fetch(room, uri)

    assert fetched.files == {"weights.bin": len(content)}
    assert (room / "artifact/weights.bin").read_bytes() == content
    assert part < len(content) or line.cuts == 3


def test_an_object_that_is_cut_off_again_and_again_is_given_up(s3, room, impatient, monkeypatch):
    uri, _ = _put(s3, os.urandom(1_000_000))

    with relay.before(s3, after=2_000) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        refused = _refused(room, uri)

    assert refused.reason is Reason.ARTIFACT_UNREACHABLE
    assert line.cuts == 21


def test_an_object_that_is_replaced_meanwhile_is_no_mixture(s3, room, impatient, monkeypatch):
    uri, replace = _put(s3, os.urandom(1_000_000))

    with relay.before(s3, after=300_000) as line:
        line.cut = lambda: replace(os.urandom(1_000_000))
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        refused = _refused(room, uri)

    assert refused.reason is Reason.ARTIFACT_CORRUPT
    assert "was replaced" in str(refused)
    assert line.cuts == 1


def test_an_object_of_other_bytes_than_were_promised_is_refused(s3, room):
    uri, _ = _put(s3, b"weights")
    right = "sha256:" + hashlib.sha256(b"weights.bin\x007\x00weights").hexdigest()

    error = _refused(room, uri, model_digest="sha256:" + "0" * 64)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert right in error.message
    assert _fetch(room, uri, model_digest=right).digest == right


# --- too much ---


def test_a_bucket_larger_than_a_model_may_be_is_not_fetched(bucket, room):
    error = _refused(room, f"s3://{bucket}/models/iris", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "larger than 999 B" in error.message
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("path", ["m", "m/b.bin"])
def test_a_claim_larger_than_a_model_may_be_is_not_copied(tmp_path, room, path):
    (tmp_path / "claim/m").mkdir(parents=True)
    (tmp_path / "claim/m/a.bin").write_bytes(bytes(500))
    (tmp_path / "claim/m/b.bin").write_bytes(bytes(1000))

    error = _refused(room, f"pvc://claim/{path}", pvc_mount=tmp_path / "claim", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "larger than 999 B" in error.message
    assert list(room.iterdir()) == []


def test_the_manifest_tells_what_came(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")

    _fetch(room, f"{address}/model.onnx")

    told = json.loads((room / manifests.NAME).read_text())
    assert set(told) == {"uri", "digest", "files", "bytes", "seconds"}
    assert told["bytes"] == 5
    shutil.rmtree(room / "artifact")
    assert manifests.read(room) is None
