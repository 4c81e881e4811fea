"""The SHA-256 of an artefact: of the file when it is one, else of the tree.

A tree's digest covers, for each file in the order of its relative POSIX path: the path, a NUL, the
size in decimal, a NUL, and the content. Docs and clients may compute it the same way.
"""

import hashlib
from pathlib import Path

_CHUNK = 1024 * 1024


def of_file(path: Path) -> str:
    """What `sha256sum` prints for a file, with its algorithm in front."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def of_tree(root: Path) -> str:
    """One digest for everything under a directory."""
    total = hashlib.sha256()
    for path, size in files(root).items():
        total.update(f"{path}\0{size}\0".encode())
        with (root / path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
    return f"sha256:{total.hexdigest()}"


def files(root: Path) -> dict[str, int]:
    """Relative POSIX path to size, sorted by path."""
    found = (file for file in root.rglob("*") if file.is_file())
    return dict(sorted((file.relative_to(root).as_posix(), file.stat().st_size) for file in found))
