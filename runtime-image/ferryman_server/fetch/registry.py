"""Downloads a registered model's version through the MLflow client.

`import mlflow` takes three seconds, two of them for pandas and NumPy, which a download never
touches. They are hidden while it is imported in this process: MLflow then behaves as its own
`mlflow-skinny` distribution does where they are not installed.
"""

import errno
import os
import re
import sys
import urllib.parse
from pathlib import Path, PurePosixPath
from typing import Any

from ferryman_server import log
from ferryman_server.fetch import location, proxy, stores
from ferryman_server.fetch import source as sources
from ferryman_server.fetch.budget import Budget
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.reason import FatalError, Reason, first_line
from ferryman_server.secrecy import redacted

_MOST_FRUITLESS = 2
_NOT_NEEDED = ("numpy", "pandas", "scipy", "sklearn")
_CODES = {
    "RESOURCE_DOES_NOT_EXIST": Reason.ARTIFACT_NOT_FOUND,
    "ENDPOINT_NOT_FOUND": Reason.ARTIFACT_NOT_FOUND,
    "PERMISSION_DENIED": Reason.ARTIFACT_FORBIDDEN,
    "UNAUTHENTICATED": Reason.ARTIFACT_FORBIDDEN,
    "CUSTOMER_UNAUTHORIZED": Reason.ARTIFACT_FORBIDDEN,
}
# What failed in one of the library's threads is told by its text alone. A bare number may be a port or a version.
_STATUS = re.compile(r"\b(40[134]) Client Error\b")
# The library's own patience (7 tries, 120 s each) is longer than a rollout's; the kubelet tries again anyway.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def fetch(source: sources.Source, into: Path, *, limit: int, pinned: str = "", expect: Expect = unexpected) -> None:
    """Download the version's files, from where they are `pinned` to be or else the registry says, and check each."""
    if pinned.startswith("s3://"):  # no registry is needed for it, nor the time that its client takes to be imported
        _from_bucket(pinned, into, limit, expect)
        return
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.uri} needs a registry, and MLFLOW_TRACKING_URI is not set; set it to the tracking server.",
        )
    mlflow = _import_client()
    _guard(mlflow.store.artifact.artifact_repository_registry, source)
    try:
        with stores.credentials():
            listed = _bring(mlflow, source, pinned, into, limit=limit, expect=expect)
    except FatalError:
        raise
    except Exception as error:  # each store's client has errors of its own
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise _translated(source, error) from error
    _check(source, into, listed)


def _bring(
    mlflow: Any, source: sources.Source, pinned: str, into: Path, *, limit: int, expect: Expect
) -> dict[str, int | None]:
    """Download the version's files; return the listing."""
    where = pinned or _where(mlflow.MlflowClient(), source)
    if where.startswith("s3://"):
        return _from_bucket(where, into, limit, expect)
    repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(where)
    listed, budget = _listing(repository, source), Budget(source.uri, limit)
    sizes = [size for size in listed.values() if size is not None]
    budget.foresee(sum(sizes))
    expect(sum(sizes))
    if location.proxied(where) and not (proxy.leads_to_bucket(repository) and len(sizes) == len(listed)):
        proxy.bring(mlflow, repository, list(listed), into, name=source.uri, budget=budget)
    elif len(sizes) == len(listed):
        _download(mlflow, repository, into, listed)
    else:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f"{where} lists files without their sizes, so nobody can tell whether {source.uri} is too large; "
            "let the tracking server keep it (mlflow-artifacts:).",
        )
    return listed


def _from_bucket(where: str, into: Path, limit: int, expect: Expect) -> dict[str, int | None]:
    from ferryman_server.fetch import s3  # noqa: PLC0415

    parts = urllib.parse.urlsplit(where)
    s3.fetch(
        sources.Source(sources.Kind.S3, where, parts.netloc, parts.path.strip("/")), into, limit=limit, expect=expect
    )
    return {}  # it compared the files with its own listing


def _download(mlflow: Any, repository: Any, into: Path, listed: dict[str, int | None]) -> None:
    """Let MLflow download everything; of what was cut off, what is not here yet, until two attempts bring nothing."""
    wanted, missing, fruitless = [""], len(listed), 0
    while True:
        try:
            for path in wanted:
                repository.download_artifacts(path, str(into))
        except mlflow.exceptions.MlflowException as error:
            wanted = [path for path, size in listed.items() if not _arrived(into / path, size)]
            fruitless = fruitless + 1 if len(wanted) >= missing else 0
            if fruitless == _MOST_FRUITLESS:
                raise
            missing = len(wanted)
            said = redacted(first_line(error))
            log.line(f"{missing} of {len(listed)} files did not come ({said}); asking for them again")
        else:
            return


def _arrived(file: Path, size: int | None) -> bool:
    """Tell whether a file is here whole; one whose size nobody knows is fetched anew."""
    return size is not None and file.is_file() and file.stat().st_size == size


def _import_client() -> Any:
    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)
    hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's own sign for "not there"
    try:
        import mlflow  # noqa: PLC0415 - only this source pays for it
        import mlflow.exceptions  # noqa: PLC0415
        import mlflow.store.artifact.artifact_repository_registry  # noqa: PLC0415
        import mlflow.utils.credentials  # noqa: PLC0415
        import mlflow.utils.request_utils  # noqa: PLC0415
        import mlflow.utils.rest_utils  # noqa: PLC0415
    finally:
        for name in hidden:
            del sys.modules[name]
    return mlflow


def _guard(repositories: Any, source: sources.Source) -> None:
    """Let MLflow's client look at each location before it opens it, and at those that one leads to."""

    def looking(open_repository: Any) -> Any:
        def opened(where: str, *args: Any, **options: Any) -> Any:
            if fault := location.refusal(where, os.environ["MLFLOW_TRACKING_URI"]):
                raise FatalError(Reason.ARTIFACT_FORBIDDEN, f"{_named(source)} {fault}.")
            return open_repository(where, *args, **options)

        return opened

    for scheme, open_repository in list(repositories.get_registered_artifact_repositories().items()):
        repositories._artifact_repository_registry.register(scheme, looking(open_repository))


def _where(client: Any, source: sources.Source) -> str:
    """Where the files lie, as the tracking server says."""
    if not source.path:
        return str(client.get_logged_model(source.place).artifact_location)
    return str(client.get_model_version_download_uri(source.place, source.path))


def _named(source: sources.Source) -> str:
    return f'Model "{source.place}" version {source.path}' if source.path else f'Logged model "{source.place}"'


def _listing(repository: Any, source: sources.Source) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    folders: list[str | None] = [None]
    while folders:
        for entry in repository.list_artifacts(folders.pop()):
            if ".." in PurePosixPath(entry.path).parts or entry.path.startswith("/"):
                raise FatalError(
                    Reason.ARTIFACT_CORRUPT, f'{source.uri} lists "{entry.path}", which climbs out of it.'
                )
            if entry.is_dir:
                folders.append(entry.path)
            else:
                found[entry.path] = entry.file_size
    if not found:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f"{_named(source)} is registered but has no files; log the model again.",
        )
    return found


def _check(source: sources.Source, into: Path, listed: dict[str, int | None]) -> None:
    for path, size in listed.items():
        file = into / path
        here = file.stat().st_size if file.is_file() else None
        if here is None or (size is not None and size != here):
            raise FatalError(
                Reason.ARTIFACT_CORRUPT,
                f'"{path}" of {source.uri} is {size} bytes in the registry and {here or "missing"} here; '
                "try again, or log the model again.",
            )
    # The client leaves a note of its own beside the model; the artefact is what the registry lists.
    note = into / "registered_model_meta"
    if note.name not in listed:
        note.unlink(missing_ok=True)


def _translated(source: sources.Source, error: Exception) -> FatalError:
    said, model = first_line(error), _named(source)
    meant = _meant(error)
    if meant is Reason.ARTIFACT_NOT_FOUND:
        return FatalError(meant, f"{model} is not in the registry ({said}); check the name and the version.")
    if meant is Reason.ARTIFACT_FORBIDDEN:
        return FatalError(
            meant,
            f"The registry, or the store that it names, refused to give {model} ({said}); check the credentials "
            "in the pod's Secret.",
        )
    return FatalError(
        Reason.ARTIFACT_UNREACHABLE,
        f"{model} could not be fetched ({said}); check that the tracking server, "
        f"{os.environ['MLFLOW_TRACKING_URI']}, and the store that it names are up and in reach of the pod's network.",
    )


def _meant(error: Exception) -> Reason | None:
    """Return what an error says: by MLflow's code, by the store's status, else by MLflow's words for one."""
    said = _STATUS.search(str(error))
    return (
        _CODES.get(str(getattr(error, "error_code", "")))
        or stores.reason(error)
        or (stores.REASONS.get(int(said[1])) if said else None)
    )
