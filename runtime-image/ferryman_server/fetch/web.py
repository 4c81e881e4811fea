"""Downloads a model file or archive over https."""

from pathlib import Path, PurePosixPath

import requests

from ferryman_server.fetch import progress, reach
from ferryman_server.fetch import source as sources
from ferryman_server.reason import FatalError, Reason, first_line

_TIMEOUT = (5, 30)
_CHUNK = 1024 * 1024
_MOST_REDIRECTS = 5


def fetch(source: sources.Source, into: Path, *, limit: int, allow_http: bool, allowed: reach.Reach) -> Path:
    """Download to a file named as in the URL, and give it back."""
    target = into / (PurePosixPath(source.path).name or "model")
    try:
        with (
            _session(allowed, allow_http=allow_http) as session,
            session.get(source.uri, stream=True, timeout=_TIMEOUT) as answer,
        ):
            _accept(source, answer)
            _save(source, answer, target, limit)
    except requests.exceptions.SSLError as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"The certificate of {source.place} is not trusted here ({first_line(error)}); "
            "fix it, or add its authority to the image.",
        ) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise _short(source, "the connection ended early") from error
    except requests.exceptions.RequestException as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} did not answer ({type(error).__name__}) when {_plain(source.uri)} was asked for; "
            "check the host, and that the pod's network may reach it.",
        ) from error
    return target


def _session(allowed: reach.Reach, *, allow_http: bool) -> requests.Session:
    """Return a session in which every hop is looked at before it is taken."""
    session = requests.Session()
    session.max_redirects = _MOST_REDIRECTS
    session.mount("https://", reach.Adapter(allowed))
    session.mount("http://", reach.Adapter(allowed) if allow_http else reach.Refusal())
    return session


def _accept(source: sources.Source, answer: requests.Response) -> None:
    status = answer.status_code
    if status in {401, 403}:
        raise FatalError(
            Reason.ARTIFACT_FORBIDDEN,
            f"{source.place} refused {_plain(source.uri)} with {status}; it needs access that this pod has not.",
        )
    if status in {404, 410}:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f"{source.place} has nothing at {_plain(source.uri)} ({status}); check the address.",
        )
    if status != 200:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} answered {status} for {_plain(source.uri)}; try again when it is well.",
        )


def _save(source: sources.Source, answer: requests.Response, target: Path, limit: int) -> None:
    promised = answer.headers.get("Content-Length", "")
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    total = 0
    with target.open("wb") as file:
        for chunk in answer.iter_content(_CHUNK):
            total += len(chunk)
            if total > limit:
                raise FatalError(
                    Reason.ARTIFACT_CORRUPT,
                    f"{_plain(source.uri)} is larger than {progress.size(limit)}, which is the most a model may be.",
                )
            file.write(chunk)
    if promised.isdecimal() and not encoded and int(promised) != total:
        raise _short(source, f"{total} of {promised} bytes came")
    if total == 0:
        raise _short(source, "it is empty")


def _short(source: sources.Source, fact: str) -> FatalError:
    return FatalError(
        Reason.ARTIFACT_CORRUPT, f"{_plain(source.uri)} did not come whole: {fact}; upload it again, or try again."
    )


def _plain(uri: str) -> str:
    """A URI without its query: signed URLs carry secrets there, and messages end up in status."""
    return uri.partition("?")[0]
