"""Unpacks a downloaded archive, trusting nothing in it.

Only regular files and directories, only below the target, and no more bytes than allowed: a link, a
device or a path that climbs out is a reason to stop, not to skip.
"""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ferryman_server.reason import FatalError, Reason

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_MOST_FILES = 100_000
_UNIX_LINK = 0o120000
_UNIX_KIND = 0o170000


def is_archive(name: str) -> bool:
    """By its name; a lone model file is left as it is."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path, *, limit: int) -> None:
    """Extract everything, or nothing that counts."""
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as bundle:
                _write(_zip_members(bundle, archive.name), into, archive.name, limit)
        else:
            with tarfile.open(archive) as bundle:
                _write(_tar_members(bundle, archive.name), into, archive.name, limit)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the archive's
        raise FatalError(
            Reason.ARTIFACT_CORRUPT, f"Archive {archive.name} cannot be read ({error}); upload it again."
        ) from error


def _tar_members(bundle: tarfile.TarFile, name: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in bundle:
        if member.isdir():
            continue
        content = bundle.extractfile(member) if member.isreg() else None
        if content is None:
            raise _refused(name, member.name, "is neither a regular file nor a directory")
        yield member.name, member.size, content


def _zip_members(bundle: zipfile.ZipFile, name: str) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in bundle.infolist():
        if member.is_dir():
            continue
        if (member.external_attr >> 16) & _UNIX_KIND == _UNIX_LINK:
            raise _refused(name, member.filename, "is a link")
        with bundle.open(member) as content:
            yield member.filename, member.file_size, content


def _write(members: Iterator[tuple[str, int, IO[bytes]]], into: Path, name: str, limit: int) -> None:
    total = count = 0
    for path, size, content in members:
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or "\\" in path or not relative.parts:
            raise _refused(name, path, "would be written outside the model's directory")
        total, count = total + size, count + 1
        if total > limit or count > _MOST_FILES:
            raise FatalError(
                Reason.ARTIFACT_CORRUPT,
                f"Archive {name} unpacks to more than {limit} bytes or {_MOST_FILES} files; is it a model?",
            )
        target = into / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
        if target.stat().st_size != size:
            raise _refused(name, path, "is shorter than it says")


def _refused(archive: str, member: str, fact: str) -> FatalError:
    return FatalError(
        Reason.ARTIFACT_CORRUPT,
        f'Archive {archive} was refused: its member "{member}" {fact}; pack the model\'s files alone.',
    )
