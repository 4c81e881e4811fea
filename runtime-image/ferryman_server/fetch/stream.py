"""A file that comes as one answer over HTTP: counted while it comes, and gone on with where it was cut off."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from ferryman_server import log
from ferryman_server.fetch import progress
from ferryman_server.fetch.budget import Budget
from ferryman_server.fetch.patience import Patience
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.reason import FatalError, Reason

_CHUNK = 64 * 1024
"""At most so much is lost of what came before a cut."""
_CUT = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError, requests.exceptions.Timeout)


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


@dataclass(frozen=True, slots=True)
class Stream:
    """A file by the name that messages give it, who sends it, and how to ask for it with some headers more.

    What is asked answers with 200 or 206, or raises what has to be said instead.
    """

    name: str
    place: str
    ask: Callable[[dict[str, str]], requests.Response]

    def save(self, target: Path, budget: Budget, expect: Expect = unexpected) -> int:
        """Ask until every byte is here, for as long as each answer brings some; return how many there are."""
        part, patience = _Part(), Patience()
        while True:
            before = part.here
            try:
                with self.ask(part.wanted()) as answer:
                    self._take(answer, target, part, budget, expect)
            except _CUT as error:
                if not part.begun:
                    raise
                if patience.ends(brought=part.here > before):
                    raise self.short(f"the connection ended {patience.cuts} times") from error
                came = progress.size(part.here)
                log.line(f"{self.place} ended the connection after {came} of {self.name}; asking for the rest")
                patience.wait()
            else:
                return part.here

    def short(self, fact: str) -> FatalError:
        """Say that not all of it came."""
        return FatalError(
            Reason.ARTIFACT_CORRUPT, f"{self.name} did not come whole: {fact}; upload it again, or try again."
        )

    def _take(self, answer: requests.Response, target: Path, part: _Part, budget: Budget, expect: Expect) -> None:
        if answer.status_code == 206 and not part.resumes(answer):
            raise FatalError(
                Reason.ARTIFACT_UNREACHABLE,
                f"{self.place} answered 206 for {self.name}; try again when it is well.",
            )
        thrown_away = part.here
        promised = part.begins(answer)
        budget.give_back(thrown_away - part.here)
        if promised:
            expect(promised)
        with target.open("ab" if part.here else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                part.here += len(chunk)
                budget.take(len(chunk))
                file.write(chunk)
        if promised and promised != part.here:
            raise self.short(f"{part.here} of {promised} bytes came")
