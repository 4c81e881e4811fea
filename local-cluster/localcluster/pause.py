"""The image that holds a pod's namespaces open, made here because no registry is asked for it."""

import hashlib
import io
import json
import pathlib
import platform
import tarfile

from localcluster import binaries

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(reference: str) -> bytes:
    """An image archive that `ctr images import` takes: one static program on nothing."""
    layer = _tar({"pause": binaries.path("pause").read_bytes()}, mode=0o755)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
    }
    return _tar(files, mode=0o644)


def write(reference: str, target: pathlib.Path) -> pathlib.Path:
    """The archive as a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(archive(reference))
    return target


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
