"""What the registry means by what somebody names, asked for now and then: nobody has to look unless that changes.

So many ModelDeployments as there are, the registry answers a steady trickle: a few aliases are asked for one by one,
spread over the period; for many the registry's list is read, page by page, and only those that it does not settle are
asked for themselves, in turn. Versions mean what they mean: a few a round are asked for, in turn, only to find out
which are gone. Beside that, whoever could not be answered is asked for as soon as there is a turn, and a registry
that is silent is asked for one thing now and then: once it answers, a round begins at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from ferryman.api import reference
from ferryman.registry.answers import Registry
from ferryman.registry.turns import PACE_SECONDS
from ferryman.settings import Settings

MOST_PAGES = 50
"""Of the registry's list; whose alias is not among so many is asked for by itself."""
LEAST = 0.9
"""The part of the period that one round takes at least."""
TURN = 20
"""In so many rounds each version is asked for once, if the pace allows that."""
BEAT_SECONDS = 0.5
"""How often it is seen to whoever could not be answered."""
LAPSE = 50
"""So many of those whom a silent registry leaves without news are told in one beat."""
SAY_AGAIN_SECONDS = 300.0

log = logging.getLogger(__name__)


class Poll:
    """Asks one registry what somebody names and what may have changed."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        followed: Callable[[], tuple[str, ...]],
        moved: Callable[[str], None],
    ) -> None:
        """`followed` returns everything that somebody names, `moved` hears of what does not mean what it meant."""
        self._period = settings.registry_poll_seconds
        self._most = int(LEAST * self._period / PACE_SECONDS)
        """So many questions fit into a round."""
        self._registry = registry
        self._followed = followed
        self._aliases, self._versions = _Rota(), _Rota()
        self._anew = asyncio.Event()
        """The next round is to begin now."""
        self._listing = False
        """The list is being read: it may settle what else would be asked for."""
        self._said: dict[str, float] = {}
        """When it was last said that something cannot even be asked for."""
        registry.changed = moved

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rounds())
            group.create_task(self._beats())

    async def _rounds(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            ends = clock() + self._period * random.uniform(LEAST, 1.0)  # noqa: S311 to spread, not to hide
            self._anew.clear()
            await self._survived("a round", self._round())
            try:
                async with asyncio.timeout_at(ends):
                    await self._anew.wait()
            except TimeoutError:
                continue

    async def _round(self) -> None:
        """Ask for each of some aliases once, or, of many, for those that the registry's list does not settle.

        In what is left of the round it is some versions' turn. Nobody is asked for twice in it.
        """
        clock = asyncio.get_running_loop().time
        began, followed = clock(), self._followed()
        self._registry.retain(followed)
        asked = [uri for uri in followed if reference.moves(uri)]
        if max(sum(self._registry.price(uri) for uri in asked), len(self._registry.owed())) > self._most:
            self._listing = True
            try:
                asked = await self._unlisted(followed)
            finally:
                self._listing = False
        left = began + LEAST * self._period - clock()
        most = max(int(left / PACE_SECONDS), 1)
        asked = self._aliases.due(asked, most)
        versions = [uri for uri in followed if not reference.moves(uri)]
        asked += self._versions.due(versions, min(max(most - len(asked), 1), math.ceil(len(versions) / TURN)))
        first, slot = clock(), max(left / max(len(asked), 1), PACE_SECONDS)
        for number, uri in enumerate(asked):
            await asyncio.sleep(first + number * slot - clock())
            if self._registry.line.silence() is not None:
                return  # the beats find out when it is back
            if not self._registry.asked_since(uri, began):
                await self._survived(uri, self._registry.ask_again(uri))

    async def _unlisted(self, followed: Iterable[str]) -> list[str]:
        """Read the registry's list, and take in what it says; return the aliases of which it does not say enough."""
        clock = asyncio.get_running_loop().time
        left = {reference.registry_reference(uri): uri for uri in followed if reference.moves(uri)}
        token = None
        for _ in range(MOST_PAGES):
            asked_at = clock()
            page, token = await self._registry.aliases(token)
            for named, (version, whole) in page.items():
                uri = left.get(named)
                if uri is not None and self._registry.listed(uri, version, whole, asked_at):
                    del left[named]
            if token is None:
                break
        return list(left.values())

    async def _beats(self) -> None:
        """See to whoever could not be answered, at every beat to one."""
        clock, line = asyncio.get_running_loop().time, self._registry.line
        ailed, list_again = False, 0.0
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if line.silence() is not None:
                self._registry.lapse(LAPSE)
            owed = self._registry.owed(until=math.inf if line.ails() else clock())
            recovered, ailed = ailed and not line.ails(), line.ails()
            if recovered or (len(owed) > self._most and clock() >= list_again and not ailed):
                list_again = clock() + self._period
                self._anew.set()
            elif owed and not self._listing and line.silence() is None:
                await self._survived(owed[0], self._registry.ask_again(owed[0]))

    async def _survived(self, what: str, asking: Awaitable[None]) -> None:
        """Wait for a question; that one goes wrong in a way that nobody thought of ends no other."""
        try:
            await asking
        except Exception:
            now = asyncio.get_running_loop().time()
            if now >= self._said.get(what, 0.0):
                self._said = {other: until for other, until in self._said.items() if until > now}
                self._said[what] = now + SAY_AGAIN_SECONDS
                log.exception("%s could not be asked for; it is tried again", what)


class _Rota:
    """Takes turns."""

    def __init__(self) -> None:
        self._order = deque[str]()
        """Those that were named last at the end."""

    def due(self, uris: list[str], most: int) -> list[str]:
        """Return so many whose turn it is, and put them at the end."""
        known, wanted = set(self._order), set(uris)
        self._order = deque(uri for uri in self._order if uri in wanted)
        self._order.extend(uri for uri in uris if uri not in known)
        due = [self._order.popleft() for _ in range(min(most, len(self._order)))]
        self._order.extend(due)
        return due
