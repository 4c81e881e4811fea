"""Images move layer by layer, and what a pod runs in is the cluster's own."""

import hashlib
import io
import json
import tarfile

import pytest

from localcluster import cgroups, layout, pause, runtime


@pytest.fixture
def exported(tmp_path):
    """An image as buildah writes it: blobs by their digests, and a manifest."""
    digests = []
    for content in (b"configuration", b"lower layer", b"upper layer"):
        digest = hashlib.sha256(content).hexdigest()
        (tmp_path / digest).write_bytes(content)
        digests.append(f"sha256:{digest}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": digests[0]},
        "layers": [{"digest": digest} for digest in digests[1:]],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def archived(folder, without=()):
    target = io.BytesIO()
    layout.write_archive(folder, "dev", target, without)
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_an_archive_holds_every_blob_under_its_digest(exported):
    files = archived(exported)

    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert len(blobs) == 4
    assert all(name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for name, content in blobs.items())


def test_an_archive_s_index_names_the_manifest_and_its_tag(exported):
    (described,) = json.loads(archived(exported)["index.json"])["manifests"]

    assert described["digest"] == f"sha256:{hashlib.sha256((exported / 'manifest.json').read_bytes()).hexdigest()}"
    assert described["annotations"] == {"org.opencontainers.image.ref.name": "dev"}


def test_layers_that_the_cluster_has_are_left_out(exported):
    known = layout.blobs(exported)[1]

    files = archived(exported, without={known})

    assert f"blobs/sha256/{known.removeprefix('sha256:')}" not in files
    assert len(files) == len(archived(exported)) - 1


def test_an_image_that_lost_its_name_to_a_newer_one_is_let_go():
    targets = {"ferryman.dev/server:dev": "sha256:new", "sha256:id-new": "sha256:new", "sha256:id-old": "sha256:old"}

    assert runtime.replaced(targets) == ["sha256:id-old"]


def test_the_pause_image_is_one_static_program(monkeypatch, tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(b"program")
    monkeypatch.setattr(pause.binaries, "path", lambda _: program)

    with tarfile.open(fileobj=io.BytesIO(pause.archive("ferryman.dev/pause:local"))) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))
        layer = tar.extractfile(manifest["Layers"][0]).read()
        config = json.load(tar.extractfile(manifest["Config"]))

    assert manifest["RepoTags"] == ["ferryman.dev/pause:local"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getmember("pause").mode == 0o755


def test_two_clusters_have_two_control_groups(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/home/a")
    first = cgroups.name()

    monkeypatch.setenv("XDG_STATE_HOME", "/home/b")

    assert cgroups.name() != first


def test_a_machine_with_cgroups_of_version_two_has_one_tree(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "MOUNTED", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")

    cgroups.create()

    assert cgroups.trees() == [tmp_path]
    assert cgroups.groups() == [tmp_path / cgroups.name()]


def test_a_machine_with_cgroups_of_version_one_has_a_tree_for_each_controller(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "MOUNTED", tmp_path)
    for controller in ("cpu", "memory"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()

    cgroups.create()

    assert {group.parent.name for group in cgroups.groups()} == {"cpu", "memory"}


def test_the_control_groups_go_with_the_cluster(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "MOUNTED", tmp_path)
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "cgroup.procs").touch()
    cgroups.create()
    (cgroups.groups()[0] / "kubepods" / "burstable").mkdir(parents=True)

    cgroups.remove()

    assert cgroups.groups() == []
