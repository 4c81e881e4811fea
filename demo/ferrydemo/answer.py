"""One prediction's answer as a client saw it, and what a stretch of time full of them adds up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    number: int
    """Its place in the schedule, from 0."""
    at: float
    """When it was due, in seconds since the epoch."""
    seconds: float
    """From when it was due until its whole body was read."""
    status: int
    """The HTTP status; 0 when there was no answer."""
    revision: str
    """Which revision answered, as it says of itself."""
    fault: str
    """Why the answer counts as failed; empty for a good one."""

    def line(self) -> str:
        """Return the answer as one line of the record."""
        fault = " ".join(self.fault.split())
        return f"{self.number}\t{self.at:.4f}\t{self.seconds:.5f}\t{self.status}\t{self.revision}\t{fault}\n"

    @classmethod
    def read(cls, line: str) -> Answer:
        """Read one line of the record."""
        number, at, seconds, status, revision, fault = line.rstrip("\n").split("\t")
        return cls(int(number), float(at), float(seconds), int(status), revision, fault)


@dataclass(frozen=True, slots=True)
class Window:
    """The answers of a stretch of time, added up."""

    seconds: float
    requests: int
    failures: tuple[Answer, ...] = ()
    by_revision: dict[str, int] = field(default_factory=dict)
    """Good answers, by the revision that gave them."""
    p50: float = 0.0
    p99: float = 0.0

    def share(self, revision: str) -> float:
        """Return a revision's part of the good answers, in percent."""
        good = sum(self.by_revision.values())
        return 100 * self.by_revision.get(revision, 0) / good if good else 0.0

    def fits(self, revision: str, percent: float) -> bool:
        """Tell whether a revision's part is what an honest `percent` would give.

        Envoy draws for each request, so the count is binomial: 3.5 standard deviations either side leave one honest
        window in 2,000 outside. 0 and 100 percent have no such room: not one request may go the other way.
        """
        good = sum(self.by_revision.values())
        return good > 0 and abs(self.by_revision.get(revision, 0) - good * percent / 100) <= tolerance(good, percent)


def tolerance(requests: int, percent: float) -> float:
    """Return by how many requests an honest split may miss its percentage."""
    share = percent / 100
    return 3.5 * math.sqrt(requests * share * (1 - share))


def window(answers: Iterable[Answer], seconds: float) -> Window:
    """Add answers up."""
    answers = list(answers)
    good = [answer for answer in answers if not answer.fault]
    times = sorted(answer.seconds for answer in good)
    return Window(
        seconds=seconds,
        requests=len(answers),
        failures=tuple(answer for answer in answers if answer.fault),
        by_revision=dict(Counter(answer.revision for answer in good)),
        p50=_quantile(times, 0.50),
        p99=_quantile(times, 0.99),
    )


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
