"""What a fetch leaves: a manifest that tells of it, and nothing that a killed one began."""

import hashlib
import json
import shutil

from server.fetch.fetching import fetch, refused

from ferryman_server import manifest as manifests
from ferryman_server.fetch import digest
from ferryman_server.reason import Reason


def test_other_bytes_than_were_promised_arerefused(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    right = "sha256:" + hashlib.sha256(b"graph").hexdigest()

    error = refused(room, f"{address}/model.onnx", model_digest="sha256:" + "0" * 64)
    fetched = fetch(room, f"{address}/model.onnx", model_digest=right)

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
    first = fetch(room, f"{address}/model.onnx")
    (goods / "model.onnx").unlink()

    assert fetch(room, f"{address}/model.onnx") == first


def test_the_leftovers_of_a_killed_run_are_not_believed(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    (room / ".incoming-dead/landing").mkdir(parents=True)
    (room / "artifact").mkdir()
    (room / "artifact/model.onnx").write_bytes(b"gra")
    (room / f"{manifests.NAME}.draft").write_text("{")

    fetch(room, f"{address}/model.onnx")

    assert (room / "artifact/model.onnx").read_bytes() == b"graph"
    assert not (room / ".incoming-dead").exists()


def test_an_artefact_that_was_damaged_since_is_fetched_again(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")
    fetch(room, f"{address}/model.onnx")
    (room / "artifact/model.onnx").write_bytes(b"gr")

    fetch(room, f"{address}/model.onnx")

    assert (room / "artifact/model.onnx").read_bytes() == b"graph"


def test_the_manifest_tells_what_came(shop, room):
    address, goods = shop
    (goods / "model.onnx").write_bytes(b"graph")

    fetch(room, f"{address}/model.onnx")

    told = json.loads((room / manifests.NAME).read_text())
    assert set(told) == {"uri", "digest", "files", "bytes", "seconds"}
    assert told["bytes"] == 5
    shutil.rmtree(room / "artifact")
    assert manifests.read(room) is None
