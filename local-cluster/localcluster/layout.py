"""An image on its way from buildah to containerd: only the blobs that the other side lacks are moved.

A change of code changes the last layer; a gigabyte of unchanged layers below it would else be unpacked twice for it.
"""

import hashlib
import io
import json
import pathlib
import tarfile
from collections.abc import Collection
from typing import IO


def blobs(folder: pathlib.Path) -> list[str]:
    """The digests of the configuration and the layers of an image that buildah wrote with `dir:`."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return list(dict.fromkeys([manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]))


def index(manifest: bytes, tag: str) -> bytes:
    """The entry of an archive: which manifest has which tag."""
    described = {
        "mediaType": json.loads(manifest)["mediaType"],
        "digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}",
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    return json.dumps({"schemaVersion": 2, "manifests": [described]}).encode()


def write_archive(folder: pathlib.Path, tag: str, target: IO[bytes], without: Collection[str] = ()) -> None:
    """Stream the image as an OCI archive, less the blobs that the reader has."""
    manifest = (folder / "manifest.json").read_bytes()
    small = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": index(manifest, tag),
        f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}": manifest,
    }
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar:
        for name, content in small.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for digest in blobs(folder):
            if digest not in without:
                name = digest.removeprefix("sha256:")
                tar.add(folder / name, arcname=f"blobs/sha256/{name}")
