"""Whose turn it is to ask a tracking server: a steady trickle of requests, and a few at once for those who look."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

PACE_SECONDS = 0.625
"""One request in so long."""
AT_ONCE = 4
"""So many may come together after a rest: with them it is twenty in ten seconds, two a second."""


class Turns:
    """The requests that one tracking server is to bear, whoever makes them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin rested."""
        self._clock = clock
        self._even_at = -math.inf
        """When everything that was asked is paid for."""

    def take(self, requests: int = 1) -> bool:
        """Take a turn of so many requests, if one is free now."""
        now = self._clock()
        even_at = max(self._even_at, now) + requests * PACE_SECONDS
        if even_at > now + AT_ONCE * PACE_SECONDS:
            return False
        self._even_at = even_at
        return True

    def owe(self, requests: int) -> None:
        """Take in that something cost so many requests more; or less, below zero."""
        self._even_at = max(self._even_at, self._clock()) + requests * PACE_SECONDS

    async def come(self) -> None:
        """Wait for a turn, and take it; those who look, and cannot wait, find the others left."""
        while (wait := self._even_at - self._clock()) > 0:  # noqa: ASYNC110 time brings it
            await asyncio.sleep(wait)
        self.take()
