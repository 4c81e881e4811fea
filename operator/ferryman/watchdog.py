"""The signs by which the operator knows that it is deaf or stuck, and is to begin anew.

A watch may end, a look or the whole process may hang, and kopf's own health endpoint would know of none of it. Each
sign answers with a sentence when something is wrong. The process ends with it, and the kubelet hears it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from ferryman.cluster.kinds import Kind
from ferryman.cluster.queue import Key

LOOK_SECONDS = 1.0

LAG_SECONDS = 30.0
"""How long nothing at all may have been done: whatever stood still so long knows nothing of the world any more."""

OVERDUE_SECONDS = 90.0
"""How long a look may take that is to be cut off after a minute."""

SLACK_SECONDS = 60.0

BEGIN_SECONDS = 30.0
"""Until when each watch has to have begun."""

Clock = Callable[[], float]
Sign = Callable[[], str | None]
"""Tells what is wrong, if something is."""


class Watchdog:
    """All signs together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._signs: list[Sign] = []

    def watch(self, *signs: Sign) -> None:
        """Heed more signs."""
        self._signs += signs

    def wrong(self) -> str | None:
        """Return the first thing that is wrong."""
        return next((said for sign in self._signs if (said := sign()) is not None), None)

    async def run(self) -> str:
        """Wait until something is wrong; return what."""
        while True:
            before = self._clock()
            await asyncio.sleep(LOOK_SECONDS)
            lag = self._clock() - before - LOOK_SECONDS
            if lag > LAG_SECONDS:
                return f"the process stood still for {lag:.0f} s"
            if (said := self.wrong()) is not None:
                return said


OBSERVERS = ("resource observer", "namespace observer")


class Watches:
    """kopf's watches, and who starts them: each that was there has to stay.

    kopf 1.45 ends with the first that is gone, but some seconds later. It looks for kinds once, at its start, and
    says nothing of one that is not there: an apiserver that denied it at that moment would leave us deaf to it.
    """

    def __init__(self, expected: Iterable[Kind], clock: Clock) -> None:
        self._expected = tuple(map(_watcher, expected))
        self._clock = clock
        self._begun = clock()
        self._seen: set[str] = set()

    def __call__(self) -> str | None:
        """Name those that are gone: a lost watch takes the others with it, sooner or later."""
        names = {task.get_name() for task in asyncio.all_tasks()}
        alive = {name for name in names if name.startswith("watcher for ") or name in OBSERVERS}
        self._seen |= alive
        missing = sorted(self._seen - alive)
        if missing:
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} gone"
        if self._clock() - self._begun < BEGIN_SECONDS:
            return None
        never = [name for name in self._expected if not any(each.startswith(f"{name}@") for each in alive)]
        return f"there is no {', '.join(never)}: the apiserver denied that kind when it was asked" if never else None


def _watcher(kind: Kind) -> str:
    """Return how kopf calls the task that watches a kind, up to the namespace."""
    return f"watcher for {'.'.join(filter(None, (kind.plural, kind.version, kind.group)))}"


class Resync:
    """The resync: one in two has to succeed."""

    def __init__(self, clock: Clock, period: float) -> None:
        self._clock = clock
        self._longest = 2 * period + SLACK_SECONDS
        self._last = clock()

    def succeeded(self) -> None:
        """Take in that everything was found, and will be looked at."""
        self._last = self._clock()

    def __call__(self) -> str | None:
        """Say so if the last success is too long ago."""
        ago = self._clock() - self._last
        return f"no resync succeeded for {ago:.0f} s" if ago > self._longest else None


class Looks:
    """The looks that are under way: none may outlast its deadline. Stands around what does them."""

    def __init__(self, process: Callable[[Key], Awaitable[float | None]], clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self._begun: dict[Key, float] = {}

    async def __call__(self, key: Key) -> float | None:
        """Look, and know since when."""
        self._begun[key] = self._clock()
        try:
            return await self._process(key)
        finally:
            del self._begun[key]

    def overdue(self) -> str | None:
        """Name one that should have been cut off long ago."""
        for key, begun in self._begun.items():
            took = self._clock() - begun
            if took > OVERDUE_SECONDS:
                return f"the look at {key.namespace}/{key.name} has not ended in {took:.0f} s"
        return None
