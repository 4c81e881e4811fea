"""For how long a client is waited for: with its first words, with what it has begun, and when it has nothing to ask.

One clock looks at all connections. Between two looks nothing is timed, so a request pays for none of this; what has
not changed for some looks is given up.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

SECONDS = 30.0
"""Between two looks."""
SILENT = 2
"""Looks at which something unfinished may be as it was: a minute, as over HTTP/1.1, to a minute and a half."""
RESTS = 130
"""Looks for which a connection may have nothing to ask: 65 minutes, more than Envoy's hour."""


class Looked(Protocol):
    """Who is looked at."""

    def look(self) -> None:
        """Another half minute is over."""


class Clock:
    """Looks as long as there is anybody to look at; belongs to one event loop."""

    def __init__(self, everybody: Callable[[], Iterable[Looked]]) -> None:
        self._everybody = everybody
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Somebody is there."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        for one in list(self._everybody()):
            one.look()
            self.start()


class Unchanged:
    """At how many looks in a row something unfinished was the same."""

    __slots__ = ("_looks", "_was")

    def __init__(self) -> None:
        self._was: object = None
        self._looks = 0

    def too_long(self, now: object) -> bool:
        """`now` is what is unfinished as far as it has come; None if nothing is."""
        self._looks = self._looks + 1 if now is not None and now == self._was else 0
        self._was = now
        return self._looks >= SILENT
