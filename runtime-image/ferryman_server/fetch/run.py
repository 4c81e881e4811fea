"""The story of a fetch, in order: already here? download, unpack, verify, commit."""

import errno
import time
from pathlib import Path

from ferryman_server import log
from ferryman_server import manifest as manifests
from ferryman_server import settings as contract
from ferryman_server.fetch import archive, digest, place, progress
from ferryman_server.fetch import source as sources
from ferryman_server.reason import FatalError, Reason


def run(settings: contract.Settings) -> manifests.Manifest:
    """Leave the artefact of `settings.model_uri` in `settings.model_dir`, verified."""
    if not settings.model_uri:
        raise FatalError(Reason.ARTIFACT_NOT_FOUND, "FERRYMAN_MODEL_URI is empty; it must name the model to fetch.")
    source = sources.parse(settings.model_uri, allow_http=settings.allow_http)
    plain = settings.model_uri.partition("?")[0]
    here = manifests.read(settings.model_dir)
    if here and here.uri == plain and settings.model_digest in {"", here.digest}:
        log.line(f"{plain} is already here: {len(here.files)} files, {here.digest}")
        return here
    try:
        return _bring(source, plain, settings)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise FatalError(
            Reason.LOAD_FAILED,
            f"The volume at {settings.model_dir} is full while fetching {plain}; raise its size limit.",
        ) from error


def _bring(source: sources.Source, plain: str, settings: contract.Settings) -> manifests.Manifest:
    began = time.monotonic()
    log.line(f"Fetching {plain}")
    with place.staging(settings.model_dir) as room:
        landing, unpacked = room / "landing", room / "unpacked"
        landing.mkdir()
        with progress.Progress(plain, room) as watched:
            single = _download(source, landing, settings, watched.expect)
            found = digest.of_file(single) if single else digest.of_tree(landing)
            _verify(found, settings.model_digest, plain)
            if single and archive.is_archive(single.name):
                unpacked.mkdir()
                archive.unpack(single, unpacked, limit=settings.max_artifact_bytes)
                landing = _without_wrapping(unpacked)
        files = digest.files(landing)
        if not files:
            raise FatalError(Reason.ARTIFACT_CORRUPT, f"{plain} holds no files; upload the model again.")
        total, seconds = sum(files.values()), round(time.monotonic() - began, 3)
        manifest = manifests.Manifest(plain, found, files, total, seconds)
        place.commit(landing, manifest, settings.model_dir)
    log.line(f"Fetched {plain}: {len(files)} files, {progress.size(total)} in {seconds:.1f} s, {found}")
    return manifest


def _download(
    source: sources.Source, into: Path, settings: contract.Settings, expect: progress.Expect
) -> Path | None:
    """Bring the bytes; the single file they are, or None for a tree. Each client is imported when needed."""
    limit = settings.max_artifact_bytes
    match source.kind:
        case sources.Kind.REGISTRY:
            from ferryman_server.fetch import registry  # noqa: PLC0415

            registry.fetch(source, into, limit=limit, pinned=settings.model_location, expect=expect)
            return None
        case sources.Kind.S3:
            from ferryman_server.fetch import s3  # noqa: PLC0415

            single = s3.fetch(source, into, limit=limit, expect=expect)
        case sources.Kind.WEB:
            from ferryman_server.fetch import reach, web  # noqa: PLC0415

            allowed = reach.Reach(settings.private_hosts)
            return web.fetch(
                source, into, limit=limit, allow_http=settings.allow_http, allowed=allowed, expect=expect
            )
        case sources.Kind.VOLUME:
            from ferryman_server.fetch import volume  # noqa: PLC0415

            single = volume.fetch(source, into, mount=settings.pvc_mount, limit=limit)
    return next(into.iterdir()) if single else None


def _verify(found: str, wanted: str, uri: str) -> None:
    if wanted and found != wanted:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f"{uri} has digest {found}, and {wanted} was asked for; it was changed or damaged. "
            "Put the right bytes there, or name the new digest.",
        )


def _without_wrapping(root: Path) -> Path:
    """`tar czf model.tar.gz model/` wraps everything in one directory, which means nothing."""
    entries = list(root.iterdir())
    while len(entries) == 1 and entries[0].is_dir():
        root = entries[0]
        entries = list(root.iterdir())
    return root
