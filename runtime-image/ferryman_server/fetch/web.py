"""Downloads a model file or archive over https."""

from pathlib import Path, PurePosixPath

import requests

from ferryman_server.fetch import reach
from ferryman_server.fetch import source as sources
from ferryman_server.fetch.budget import Budget
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.fetch.stream import Stream
from ferryman_server.reason import FatalError, Reason, first_line

_TIMEOUT = (5, 30)
_MOST_REDIRECTS = 5


def fetch(
    source: sources.Source,
    into: Path,
    *,
    limit: int,
    allow_http: bool,
    allowed: reach.Reach,
    expect: Expect = unexpected,
) -> Path:
    """Download to a file named as in the URL, and give it back; one that is cut off goes on where it was."""
    target, name = into / (PurePosixPath(source.path).name or "model"), _plain(source.uri)
    try:
        with _session(allowed, allow_http=allow_http) as session:
            file = Stream(name, source.place, lambda headers: _asked(source, session, headers))
            if file.save(target, Budget(name, limit), expect) == 0:
                raise file.short("it is empty")
    except requests.exceptions.SSLError as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"The certificate of {source.place} is not trusted here ({first_line(error)}); "
            "fix it, or add its authority to the image.",
        ) from error
    except requests.exceptions.ContentDecodingError as error:
        raise file.short("what came cannot be unpacked") from error
    except requests.exceptions.RequestException as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} did not answer ({type(error).__name__}) when {name} was asked for; "
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


def _asked(source: sources.Source, session: requests.Session, headers: dict[str, str]) -> requests.Response:
    answer = session.get(source.uri, stream=True, timeout=_TIMEOUT, headers=headers)
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
    if status not in {200, 206}:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} answered {status} for {_plain(source.uri)}; try again when it is well.",
        )
    return answer


def _plain(uri: str) -> str:
    """A URI without its query: signed URLs carry secrets there, and messages end up in status."""
    return uri.partition("?")[0]
