"""Numbers that cost next to nothing to keep: plain integers on the event loop, named only when somebody reads them.

prometheus_client's own counters take a lock for each number, which is a tenth of a small request. Whoever keeps a
tally must do it from one thread.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.utils import floatToGoString


class Spread:
    """A histogram: how many values there were up to each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def total(self) -> float:
        """The sum of all values."""
        return self._total

    def buckets(self) -> list[tuple[str, float]]:
        """As the exposition format wants them: (upper bound, how many up to there)."""
        bounds = (*self._bounds, float("inf"))
        names = [str(floatToGoString(bound)) for bound in bounds]  # type: ignore[no-untyped-call]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))
