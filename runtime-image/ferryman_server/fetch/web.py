"""Downloads a model file or archive over https."""

import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import requests

from ferryman_server import log
from ferryman_server.fetch import progress, reach
from ferryman_server.fetch import source as sources
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.reason import FatalError, Reason, first_line

_TIMEOUT = (5, 30)
_CHUNK = 64 * 1024
"""At most so much is lost of what came before a cut."""
_MOST_REDIRECTS = 5
_MOST_CUTS, _MOST_FRUITLESS = 20, 2
_LONGEST_WAIT = 5.0
_CUT = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError, requests.exceptions.Timeout)


@dataclass(frozen=True, slots=True)
class _Bounds:
    limit: int
    expect: Expect


@dataclass(slots=True)
class _Part:
    """What has come of a file so far, and by what its server knows that the rest is of the same one."""

    here: int = 0
    mark: str = ""
    """The server's ETag or date; without one nothing can be gone on with."""
    begun: bool = False

    def wanted(self) -> dict[str, str]:
        """Return the headers that ask for the rest (RFC 9110, sections 13.1.5 and 14.2), as it is and not packed."""
        plain = {"Accept-Encoding": "identity"}
        if not (self.here and self.mark):
            return plain
        return {**plain, "Range": f"bytes={self.here}-", "If-Range": self.mark}

    def resumes(self, answer: requests.Response) -> bool:
        """Tell whether an answer is the rest of what is here."""
        begins = answer.headers.get("Content-Range", "").partition("-")[0]
        return answer.status_code == 206 and begins == f"bytes {self.here}" and bool(self.here)

    def begins(self, answer: requests.Response) -> int:
        """Take in an answer's headers; return how many bytes there will be in all, 0 where it does not say."""
        self.begun = True
        encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
        promised = answer.headers.get("Content-Length", "")
        if answer.status_code != 206:
            self.here = 0
            tag = answer.headers.get("ETag", "")
            strong = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
            self.mark = "" if encoded else strong
        return self.here + int(promised) if promised.isdecimal() and not encoded else 0


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
    target = into / (PurePosixPath(source.path).name or "model")
    try:
        with _session(allowed, allow_http=allow_http) as session:
            _whole(source, session, target, _Bounds(limit, expect))
    except requests.exceptions.SSLError as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"The certificate of {source.place} is not trusted here ({first_line(error)}); "
            "fix it, or add its authority to the image.",
        ) from error
    except requests.exceptions.ContentDecodingError as error:
        raise _short(source, "what came cannot be unpacked") from error
    except requests.exceptions.RequestException as error:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} did not answer ({type(error).__name__}) when {_plain(source.uri)} was asked for; "
            "check the host, and that the pod's network may reach it.",
        ) from error
    return target


def _whole(source: sources.Source, session: requests.Session, target: Path, bounds: _Bounds) -> None:
    """Ask until every byte is here, for as long as each answer brings some."""
    part, cuts, fruitless = _Part(), 0, 0
    while True:
        before = part.here
        try:
            with session.get(source.uri, stream=True, timeout=_TIMEOUT, headers=part.wanted()) as answer:
                _accept(source, answer, resumed=part.resumes(answer))
                _save(source, answer, target, part, bounds)
        except _CUT as error:
            if not part.begun:
                raise
            cuts += 1
            fruitless = fruitless + 1 if part.here <= before else 0
            if cuts > _MOST_CUTS or fruitless == _MOST_FRUITLESS:
                raise _short(source, f"the connection ended {cuts} times") from error
            log.line(f"{source.place} ended the connection after {progress.size(part.here)}; asking for the rest")
            time.sleep(min(0.5 * 2**cuts, _LONGEST_WAIT))
        else:
            return


def _session(allowed: reach.Reach, *, allow_http: bool) -> requests.Session:
    """Return a session in which every hop is looked at before it is taken."""
    session = requests.Session()
    session.max_redirects = _MOST_REDIRECTS
    session.mount("https://", reach.Adapter(allowed))
    session.mount("http://", reach.Adapter(allowed) if allow_http else reach.Refusal())
    return session


def _accept(source: sources.Source, answer: requests.Response, *, resumed: bool) -> None:
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
    if status != 200 and not resumed:
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{source.place} answered {status} for {_plain(source.uri)}; try again when it is well.",
        )


def _save(source: sources.Source, answer: requests.Response, target: Path, part: _Part, bounds: _Bounds) -> None:
    promised = part.begins(answer)
    if promised:
        bounds.expect(promised)
    with target.open("ab" if part.here else "wb") as file:
        for chunk in answer.iter_content(_CHUNK):
            part.here += len(chunk)
            if part.here > bounds.limit:
                raise FatalError(
                    Reason.ARTIFACT_CORRUPT,
                    f"{_plain(source.uri)} is larger than {progress.size(bounds.limit)}, "
                    "which is the most a model may be.",
                )
            file.write(chunk)
    if promised and promised != part.here:
        raise _short(source, f"{part.here} of {promised} bytes came")
    if part.here == 0:
        raise _short(source, "it is empty")


def _short(source: sources.Source, fact: str) -> FatalError:
    return FatalError(
        Reason.ARTIFACT_CORRUPT, f"{_plain(source.uri)} did not come whole: {fact}; upload it again, or try again."
    )


def _plain(uri: str) -> str:
    """A URI without its query: signed URLs carry secrets there, and messages end up in status."""
    return uri.partition("?")[0]
