"""The work queue: which object is to be looked at next, and when.

For one key at most one look runs and at most one waits. A look that failed is repeated after a wait that doubles; one
that succeeded may ask to be repeated later. Whatever is added meanwhile can only make the next look come sooner, but
not before the time until which the apiserver wants to be left alone with this key.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ferryman.cluster import errors

FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0
LONGEST_REST = 60.0
"""The apiserver may ask for a rest of this length; one that asks for more is asked again all the same."""


class Key(NamedTuple):
    """Which object: its namespace and its name."""

    namespace: str
    name: str


Process = Callable[[Key], Awaitable[float | None]]
"""Looks at one object; returns in how many seconds to look again, None if only an event can change anything."""

Report = Callable[[Key, Exception, float], None]
"""Hears of a look that failed, and of the seconds until the next one."""


class Queue:
    """A de-duplicating queue with delays, and the workers that empty it."""

    def __init__(
        self,
        process: Process,
        report: Report,
        *,
        workers: int,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._process = process
        self._report = report
        self._workers = workers
        self._clock = clock
        self._jitter = jitter
        self._due: dict[Key, float] = {}
        self._running: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._rest_until: dict[Key, float] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Ask for a look at an object, at the latest after so many seconds."""
        due = max(self._clock() + after, self._rest_until.get(key, 0.0))
        self._due[key] = min(due, self._due.get(key, due))
        self._changed.set()

    def depth(self) -> int:
        """Return how many objects are due and wait for a worker."""
        now = self._clock()
        return sum(1 for due in self._due.values() if due <= now)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                key = await self._next()
                self._running.add(key)
                del self._due[key]
                group.create_task(self._work(key), name=f"look at {key.namespace}/{key.name}")

    async def _next(self) -> Key:
        """Return the object that is due the longest and is not being looked at; wait for it if need be."""
        while True:
            self._changed.clear()
            timeout: float | None = None
            barred = self._running if self._room() else self._running | self._failures.keys()
            free = [(due, key) for key, due in self._due.items() if key not in barred]
            if free and len(self._running) < self._workers:
                due, key = min(free)
                timeout = due - self._clock()
                if timeout <= 0:
                    return key
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _room(self) -> bool:
        """Tell whether a worker is left for an object whose looks fail: half of them are kept from those.

        A look that fails may first hang for a minute, and many such would keep everybody else waiting.
        """
        return len(self._running & self._failures.keys()) < max(1, self._workers // 2)

    async def _work(self, key: Key) -> None:
        try:
            wake_after = await self._process(key)
        except Exception as error:  # noqa: BLE001 whatever it is, the next look may succeed
            delay = max(self._backoff(key), self._rest(key, error))
            self._report(key, error, delay)
            self.add(key, delay)
        else:
            self._failures.pop(key, None)
            self._rest_until.pop(key, None)
            if wake_after is not None:
                self.add(key, wake_after)
        finally:
            self._running.discard(key)
            self._changed.set()

    def _backoff(self, key: Key) -> float:
        """Return a wait that doubles with each failure in a row, spread so that many do not come at once."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 16))
        return longest * (0.5 + self._jitter() / 2)

    def _rest(self, key: Key, error: Exception) -> float:
        """Return for how long the apiserver wants to be left alone; nothing that waits already comes sooner."""
        asked = error.retry_after if isinstance(error, errors.ClusterError) else 0.0
        rest = min(asked, LONGEST_REST)
        until = self._rest_until[key] = self._clock() + rest
        if key in self._due:
            self._due[key] = max(self._due[key], until)
        return rest
