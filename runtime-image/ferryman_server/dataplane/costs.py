"""What a run of the model is thought to take: by the number of rows, as long as the last ones took."""

_SHORT = 0.001
"""Seconds for which the event loop may be held up: no probe and no other request notices."""
_NEWEST = 0.1
"""How much the last run counts."""
_MOST = 6 * _SHORT
"""What one run can cost at most in that count: a lone long one may only have lost its core to somebody else."""
_LEAST = 1e-7
"""What a run costs at least: clocks are coarse."""


class Costs:
    """Of one model; known by the order of magnitude of the rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def ran(self, count: int, seconds: float) -> None:
        """A run of so many rows took so long."""
        size = count.bit_length()
        known = self._seconds.get(size, seconds)
        self._seconds[size] = known + _NEWEST * (min(seconds, _MOST) - known)

    def short(self, count: int) -> bool:
        """Whether runs of so many rows are known to be short enough for the event loop."""
        return self._seconds.get(count.bit_length(), _SHORT) < _SHORT

    def most_together(self) -> int:
        """How many rows of requests that are short alone make a short run: more take longer in proportion at most."""
        for size in sorted(self._seconds, reverse=True):
            seconds = self._seconds[size]
            if seconds < _SHORT:
                return int((1 << size >> 1) * _SHORT / max(seconds, _LEAST))
        return 1
