"""What many short slices say together: each corrected for how fast the core was, then the median of the rounds."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.server.load import Measured


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of one cell."""

    measured: Measured
    cpu_seconds: float
    work_seconds: float
    """How long the fixed work took around this slice: what the core was worth."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One cell over all rounds, at the core's usual speed."""

    rps: float
    p50_us: float
    p99_us: float
    cpu_us: float
    requests: int
    errors: int
    spread: float
    """Half the distance between the quarters of the rates, as a share of their median."""


def usual(slices: list[Slice]) -> float:
    """Return how long the fixed work usually took."""
    return statistics.median(one.work_seconds for one in slices)


def summary(slices: list[Slice], usual_seconds: float) -> Summary:
    """Return the medians; a slice on a core that was 10 % slow counts for 10 % more than it showed."""
    good = [one for one in slices if one.measured.requests > one.measured.errors]
    requests = sum(one.measured.requests for one in slices)
    errors = sum(one.measured.errors for one in slices)
    if not good:
        return Summary(0.0, 0.0, 0.0, 0.0, requests, errors, 0.0)
    slowness = [one.work_seconds / usual_seconds for one in good]
    rates = [
        (one.measured.requests - one.measured.errors) / one.measured.seconds * slow
        for one, slow in zip(good, slowness, strict=True)
    ]
    cpu = [one.cpu_seconds * 1e6 / one.measured.requests / slow for one, slow in zip(good, slowness, strict=True)]
    return Summary(
        rps=statistics.median(rates),
        p50_us=statistics.median(one.measured.p50_us / slow for one, slow in zip(good, slowness, strict=True)),
        p99_us=statistics.median(one.measured.p99_us / slow for one, slow in zip(good, slowness, strict=True)),
        cpu_us=statistics.median(cpu),
        requests=requests,
        errors=errors,
        spread=spread(rates),
    )


def spread(values: list[float]) -> float:
    """Return how far apart the middle half lies: half the interquartile range over the median; 0 of one value."""
    middle = statistics.median(values) if values else 0.0
    if len(values) < 2 or not middle:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle
