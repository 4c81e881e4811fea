"""Whether a helper is worth asking: not after several failures in a row, until an attempt shows that it is back."""

from collections.abc import Callable

_FAILURES = 3
_FIRST = 0.1
_LONGEST = 30.0
_TRUSTED = 100
"""Successes in a row after which the waits begin anew: what comes and goes is asked less and less often."""


class Breaker:
    """Open at first: nobody has seen it work. `chance` (0 to 1) keeps replicas from trying at the same moment."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failures = 0
        self._successes = 0
        self._wait = _FIRST
        self.open = True

    def succeeded(self) -> None:
        """It was asked and answered in time."""
        self._failures = 0
        self._successes += 1
        if self._successes == _TRUSTED:
            self._wait = _FIRST

    def failed(self) -> bool:
        """It was asked and did not; whether this was once too often."""
        self._successes = 0
        self._failures += 1
        if self.open or self._failures < _FAILURES:
            return False
        self.open = True
        return True

    def wait(self) -> float:
        """Seconds until the next attempt, twice as many each time."""
        wait = self._wait
        self._wait = min(2 * wait, _LONGEST)
        return wait * (0.5 + self._chance() / 2)

    def close(self) -> None:
        """An attempt has succeeded."""
        self._failures = 0
        self.open = False
