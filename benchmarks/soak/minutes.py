"""Minutes as they were measured, and what they say together: no error, and a line through the memory that is flat."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

MOST_MB_AN_HOUR = 1.0
FEWEST = 10
"""Minutes after the warm-up from which a slope can be told."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What one line of the run says."""

    number: int
    rate: float
    errors: int
    p99_ms: float
    memory_mb: float
    cpu: float
    """Share of the server's core."""

    def line(self) -> str:
        """For people."""
        return (
            f"{self.number:>6} {self.rate:>9,.0f} {self.errors:>7} {self.p99_ms:>8.2f} {self.memory_mb:>8.1f} "
            f"{self.cpu:>6.0%}"
        )


HEAD = f"{'minute':>6} {'req/s':>9} {'errors':>7} {'p99 ms':>8} {'RSS MB':>8} {'core':>6}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the server may run for ever, as far as so many minutes can tell."""

    good: bool
    words: str


def warm(minutes: list[Minute]) -> list[Minute]:
    """Those after the first fifth, in which caches fill and pools grow."""
    return minutes[math.ceil(len(minutes) / 5) :]


def slope(minutes: list[Minute]) -> tuple[float, float]:
    """MB an hour by least squares, and how far off that may be (two standard errors)."""
    xs, ys = [one.number / 60 for one in minutes], [one.memory_mb for one in minutes]
    line = statistics.linear_regression(xs, ys)
    rest = sum((y - line.slope * x - line.intercept) ** 2 for x, y in zip(xs, ys, strict=True))
    spread = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
    return line.slope, 2 * math.sqrt(rest / (len(xs) - 2) / spread)


def verdict(minutes: list[Minute]) -> Verdict:
    """Errors first: a server that answers wrongly may well need no memory."""
    errors = sum(one.errors for one in minutes)
    if errors:
        return Verdict(False, f"{errors} answers were wrong or did not come")
    rest = warm(minutes)
    if len(rest) < FEWEST:
        return Verdict(True, f"no error; {len(minutes)} minutes are too few to say anything of the memory")
    grows, give = slope(rest)
    told = f"no error; the memory changes by {grows:+.2f} ± {give:.2f} MB an hour"
    return Verdict(grows <= MOST_MB_AN_HOUR, f"{told}, and may grow by {MOST_MB_AN_HOUR:g}")
