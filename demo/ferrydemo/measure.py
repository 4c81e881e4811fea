"""Asked against measured: what a split should be, and what the clients' answers say it was."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ferrydemo import answer, patience
from ferrydemo.answer import Window
from ferrydemo.modeldeployment import ModelDeployment
from ferrydemo.prober import Prober

SETTLE_SECONDS = 10.0
TRAIL = 25
"""So many answers in a row without a revision show that Envoy no longer sends to it: half a second's worth."""
UNDER_WAY = 10
"""So many copies may still be under way when the counters are read: a fifth of a second's worth."""

Split = Mapping[str, int]
"""Percent by revision."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How many of the clients' requests a shadow got a copy of.

    The counters are read at some moment of a call that takes its time. So a copy that was counted may belong to any
    request from before the first call until after the second, and of those between the calls each has to be counted.
    """

    requests: int
    """Those that were sent between the two readings of the counters."""
    most_requests: int
    """Those, and what was sent while the counters were read."""
    copies: int
    window: Window

    @property
    def percent(self) -> float:
        """Return the mirrored share of as many requests as there most likely were between the moments of reading."""
        requests = (self.requests + self.most_requests) / 2
        return 100 * self.copies / requests if requests else 0.0

    def __str__(self) -> str:
        return f"{self.copies} copies of {self.requests} to {self.most_requests} requests"


def settled(prober: Prober, split: Split, since: float, seconds: float = SETTLE_SECONDS) -> float:
    """Wait until the answers show that Envoy has the split; return how long after `since` others still answered."""

    def taken() -> bool:
        answers = prober.after(since)
        good = [got.revision for got in answers if not got.fault]
        last = set(good[-TRAIL:])
        return (
            len(good) >= TRAIL
            and all(revision in good for revision, percent in split.items() if percent > 0)
            and all(split.get(revision, 0) > 0 for revision in last)
        )

    patience.until(f"answers that fit {dict(split)}", taken, seconds)
    strays = [got.at for got in prober.after(since) if not got.fault and not split.get(got.revision)]
    return max(strays, default=since) - since


def window(prober: Prober, seconds: float) -> Window:
    """Measure for so long."""
    since = prober.mark()
    time.sleep(seconds)  # the measuring itself: nothing is waited for
    return prober.window(since, since + seconds)


def fits(window: Window, split: Split) -> bool:
    """Tell whether the measured shares are those of an honest split, and nobody else answered."""
    return set(window.by_revision) <= set(split) and all(
        window.fits(revision, percent) for revision, percent in split.items()
    )


def mirrored(deployment: ModelDeployment, prober: Prober, revision: str, seconds: float) -> Mirrored:
    """Count for so long what the clients sent, and what the pods of a revision got."""
    first, before, since = prober.mark(), predictions(deployment, revision), prober.mark()
    time.sleep(seconds)  # the measuring itself: nothing is waited for
    until, after, last = prober.mark(), predictions(deployment, revision), prober.mark()
    sent, most = prober.window(since, until), prober.window(first, last)
    return Mirrored(requests=sent.requests, most_requests=most.requests, copies=after - before, window=sent)


def mirror_fits(measured: Mirrored, percent: int) -> bool:
    """Tell whether a shadow got the share that was asked for, up to chance and what is under way."""
    least, most = (
        requests * percent / 100 + side * (answer.tolerance(requests, percent) + UNDER_WAY)
        for requests, side in ((measured.requests, -1), (measured.most_requests, 1))
    )
    return least <= measured.copies <= most


def predictions(deployment: ModelDeployment, revision: str) -> int:
    """Return how many predictions the pods of a revision have made, as their own counters say."""
    pages = [deployment.metrics(pod) for pod in deployment.pods(revision) if pod.ready]
    return sum(
        int(float(value))
        for page in pages
        for value in re.findall(r"^ferryman_requests_total\{[^}]*\} (\S+)$", page, re.MULTILINE)
    )
