"""What comes from a claim."""

import pytest
from server.fetch.fetching import fetch, refused

from ferryman_server.fetch import digest
from ferryman_server.reason import Reason


def test_a_claim_gives_a_directory_or_a_file(tmp_path, room):
    (tmp_path / "claim/models/a").mkdir(parents=True)
    (tmp_path / "claim/models/a/model.onnx").write_bytes(b"graph")

    tree = fetch(room, "pvc://claim/models", pvc_mount=tmp_path / "claim")
    file = fetch(room, "pvc://claim/models/a/model.onnx", pvc_mount=tmp_path / "claim")

    assert tree.files == {"a/model.onnx": 5}
    assert file.files == {"model.onnx": 5}
    assert (tree.digest, file.digest) == (
        digest.of_tree(tmp_path / "claim/models"),
        digest.of_file(tmp_path / "claim/models/a/model.onnx"),
    )


def test_a_claim_cannot_be_left_by_a_link(tmp_path, room):
    (tmp_path / "claim/m").mkdir(parents=True)
    (tmp_path / "claim/m/model.onnx").symlink_to("/etc/hostname")

    error = refused(room, "pvc://claim/m", pvc_mount=tmp_path / "claim")

    assert error.reason is Reason.ARTIFACT_FORBIDDEN


@pytest.mark.parametrize(
    ("path", "mount", "reason"),
    [("nothing", "claim", Reason.ARTIFACT_NOT_FOUND), ("m", "unmounted", Reason.ARTIFACT_UNREACHABLE)],
)
def test_a_claim_without_the_model_says_so(tmp_path, room, path, mount, reason):
    (tmp_path / "claim").mkdir()

    assert refused(room, f"pvc://claim/{path}", pvc_mount=tmp_path / mount).reason is reason


@pytest.mark.parametrize("path", ["m", "m/b.bin"])
def test_a_claim_larger_than_a_model_may_be_is_not_copied(tmp_path, room, path):
    (tmp_path / "claim/m").mkdir(parents=True)
    (tmp_path / "claim/m/a.bin").write_bytes(bytes(500))
    (tmp_path / "claim/m/b.bin").write_bytes(bytes(1000))

    error = refused(room, f"pvc://claim/{path}", pvc_mount=tmp_path / "claim", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "larger than 999 B" in error.message
    assert list(room.iterdir()) == []
