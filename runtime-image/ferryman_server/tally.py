"""Numbers that cost next to nothing to keep: plain integers on the event loop, named only when somebody reads them.

prometheus_client's own counters take a lock for each number, which is a tenth of a small request. Whoever keeps a
tally must do it from one thread.

Where several workers serve one pod, each writes its numbers into memory that all of them see, and whoever is asked
adds them up. A worker that takes the place of one that died goes on from its numbers, so that none ever goes down.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from prometheus_client.utils import floatToGoString


class Row(Protocol):
    """A list of numbers, or memory that looks like one."""

    def __getitem__(self, at: int, /) -> float:
        """Read one."""

    def __setitem__(self, at: int, value: float, /) -> None:
        """Write one."""

    def __iter__(self) -> Iterator[float]:
        """Read all."""


class Cells:
    """A few numbers: `own` is written here, `sums` is what they come to with those of the other workers."""

    __slots__ = ("_all", "own")

    def __init__(self, own: Row, everyones: Sequence[Row] = ()) -> None:
        self.own = own
        self._all = everyones or (own,)

    def sums(self) -> list[float]:
        """One for each number."""
        return [float(sum(column)) for column in zip(*self._all, strict=True)]

    def most(self) -> float:
        """The largest of the first numbers: for what is not added up."""
        return float(max(cells[0] for cells in self._all))


class Numbers:
    """Gives out cells; this one's belong to a process that serves alone."""

    def lasting(self, count: int) -> Cells:
        """For what has happened: it outlives the worker that counted it."""
        return Cells([0] * count)

    def living(self, count: int) -> Cells:
        """For what is now: it goes with the worker."""
        return Cells([0] * count)


class Spread:
    """A histogram: how many values there were up to each bound, and their sum."""

    __slots__ = ("_bounds", "_cells", "_counts")

    def __init__(self, bounds: Sequence[float], numbers: Numbers) -> None:
        self._bounds = tuple(bounds)
        self._cells = numbers.lasting(len(self._bounds) + 2)
        self._counts = self._cells.own  # the last one is the sum

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._counts[-1] += value

    def add(self, more: Sequence[float]) -> None:
        """Take over what another has counted: so many for each bound and above, and their sum."""
        for at, value in enumerate(more):
            self._counts[at] += value

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """As the exposition format wants it: (upper bound, how many up to there), and the sum of all values."""
        bounds = (*self._bounds, float("inf"))
        names = [str(floatToGoString(bound)) for bound in bounds]  # type: ignore[no-untyped-call]
        *counts, total = self._cells.sums()
        return list(zip(names, accumulate(counts), strict=True)), total
