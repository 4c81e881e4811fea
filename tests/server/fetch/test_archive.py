"""Archives are unpacked whole or not at all, and never outside their directory."""

import io
import os
import tarfile
import zipfile

import pytest

from ferryman_server.fetch import archive
from ferryman_server.reason import FatalError, Reason

_LIMIT = 10_000


def _tar(path, *members):
    with tarfile.open(path, "w:gz") as bundle:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd" if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return path


def test_files_and_directories_come_out_as_they_went_in(tmp_path):
    bundle = _tar(tmp_path / "m.tgz", ("m", b"", tarfile.DIRTYPE), ("m/a/b.txt", b"hello", tarfile.REGTYPE))

    archive.unpack(bundle, tmp_path / "out", limit=_LIMIT)

    assert (tmp_path / "out/m/a/b.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("member", "fact"),
    [
        (("../evil", b"x", tarfile.REGTYPE), "outside the model's directory"),
        (("/etc/evil", b"x", tarfile.REGTYPE), "outside the model's directory"),
        (("a/../../evil", b"x", tarfile.REGTYPE), "outside the model's directory"),
        (("link", b"", tarfile.SYMTYPE), "neither a regular file nor a directory"),
        (("hard", b"", tarfile.LNKTYPE), "neither a regular file nor a directory"),
        (("device", b"", tarfile.CHRTYPE), "neither a regular file nor a directory"),
        (("pipe", b"", tarfile.FIFOTYPE), "neither a regular file nor a directory"),
        (("big", b"x" * (_LIMIT + 1), tarfile.REGTYPE), f"more than {_LIMIT} bytes"),
    ],
)
def test_a_member_that_could_do_harm_stops_everything(tmp_path, member, fact):
    bundle = _tar(tmp_path / "m.tar.gz", member)

    with pytest.raises(FatalError) as refused:
        archive.unpack(bundle, tmp_path / "out", limit=_LIMIT)

    assert refused.value.reason is Reason.ARTIFACT_CORRUPT
    assert fact in refused.value.message
    assert not (tmp_path / "evil").exists()


def test_a_zip_is_held_to_the_same(tmp_path):
    good, climbing, linking = tmp_path / "good.zip", tmp_path / "climbing.zip", tmp_path / "linking.zip"
    with zipfile.ZipFile(good, "w") as bundle:
        bundle.writestr("m/model.onnx", b"hello")
    with zipfile.ZipFile(climbing, "w") as bundle:
        bundle.writestr("../evil", b"x")
    with zipfile.ZipFile(linking, "w") as bundle:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        bundle.writestr(info, "/etc/passwd")

    archive.unpack(good, tmp_path / "out", limit=_LIMIT)

    assert (tmp_path / "out/m/model.onnx").read_bytes() == b"hello"
    for bad in (climbing, linking):
        with pytest.raises(FatalError, match="was refused"):
            archive.unpack(bad, tmp_path / "out", limit=_LIMIT)


@pytest.mark.parametrize("name", ["m.tar.gz", "m.zip", "m.tar"])
def test_half_an_archive_is_corrupt(tmp_path, name):
    bundle = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(bundle, "w") as whole:
            whole.writestr("a", os.urandom(5000))
    else:
        with tarfile.open(bundle, "w:gz" if name.endswith("gz") else "w") as whole:
            info = tarfile.TarInfo("a")
            info.size = 5000
            whole.addfile(info, io.BytesIO(os.urandom(5000)))
    bundle.write_bytes(bundle.read_bytes()[:2500])

    with pytest.raises(FatalError) as refused:
        archive.unpack(bundle, tmp_path / "out", limit=_LIMIT)

    assert refused.value.reason is Reason.ARTIFACT_CORRUPT
