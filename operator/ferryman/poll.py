"""Where aliases point, asked for now and then: whom a move concerns is told, and nobody else has to look.

So many ModelDeployments as there are, the registry answers a steady trickle: a few aliases are asked for one by one,
spread over the period; for many the registry's list is read, page by page, and only those that it does not know of or
that have moved are asked for themselves. Versions mean what they mean: a few a round are asked for, in turn, only to
find out which are gone.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Iterable

from ferryman.api import reference
from ferryman.registry.answers import Registry
from ferryman.settings import Settings

PACE_SECONDS = 0.5
"""At most one question in so long: two a second."""
MOST_PAGES = 50
"""Of the registry's list; whose alias is not among so many is asked for by itself."""
LEAST = 0.9
"""The part of the period that one round takes at least."""
TURN = 20
"""In so many rounds each version is asked for once, if the pace allows that."""


class Poll:
    """Asks one registry where the aliases point that somebody follows."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        followed: Callable[[], tuple[str, ...]],
        moved: Callable[[str], None],
    ) -> None:
        """`followed` returns everything that somebody names, `moved` hears of what does not mean what it meant."""
        self._period = settings.registry_poll_seconds
        self._registry = registry
        self._followed = followed
        self._moved = moved
        self._asked = deque[str]()
        """The versions, those that were asked for last at the end."""

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.gather(
                self._look_at(self._followed()),
                asyncio.sleep(self._period * random.uniform(LEAST, 1.0)),  # noqa: S311 to spread, not to hide
            )

    async def _look_at(self, followed: tuple[str, ...]) -> None:
        """Ask for each of some aliases once, or, of many, for those that the registry's list does not settle.

        In what is left of the round it is some versions' turn.
        """
        clock = asyncio.get_running_loop().time
        ends = clock() + LEAST * self._period
        asked = [uri for uri in followed if reference.moves(uri)]
        if len(asked) * PACE_SECONDS > LEAST * self._period:
            asked = await self._unsettled(asked)
        left = ends - clock()
        versions = [uri for uri in followed if not reference.moves(uri)]
        asked += self._turn(versions, most=max(int(left / PACE_SECONDS) - len(asked), 1))
        await self._ask(asked, max(left / max(len(asked), 1), PACE_SECONDS))

    async def _unsettled(self, aliases: list[str]) -> list[str]:
        """Read the registry's list, and ask for what has moved; return the aliases of which it says nothing."""
        left = {reference.registry_reference(uri): uri for uri in aliases}
        token = None
        for _ in range(MOST_PAGES):
            page, token = await self._registry.aliases(token)
            await asyncio.sleep(PACE_SECONDS)
            for named, version in page.items():
                uri = left.pop(named, None)
                if uri is not None and not self._registry.stands(uri, version):
                    await self._ask((uri,), PACE_SECONDS)
            if token is None:
                break
        return list(left.values())

    def _turn(self, versions: list[str], most: int) -> list[str]:
        """Return the versions whose turn it is, and put them at the end."""
        known, followed = set(self._asked), set(versions)
        self._asked = deque(uri for uri in self._asked if uri in followed)
        self._asked.extend(uri for uri in versions if uri not in known)
        due = [self._asked.popleft() for _ in range(min(most, math.ceil(len(self._asked) / TURN)))]
        self._asked.extend(due)
        return due

    async def _ask(self, aliases: Iterable[str], pace: float) -> None:
        """Ask for each by itself."""
        for uri in aliases:
            if await self._registry.ask_again(uri):
                self._moved(uri)
            await asyncio.sleep(pace)
