"""The time that decisions are made by: the wall clock's at the start, and from there on only what has passed.

A wall clock that is set, by a person or by NTP, would cut a pause of ten minutes short, or stretch a deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


class Steady:
    """A clock in UTC that nobody can set."""

    def __init__(self, wall: Callable[[], datetime] = _wall, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._start = wall()
        self._zero = monotonic()

    def __call__(self) -> datetime:
        """Return the time."""
        return self._start + timedelta(seconds=self._monotonic() - self._zero)
