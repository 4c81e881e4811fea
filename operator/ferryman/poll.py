"""Where aliases point, asked for now and then: whom a move concerns is told, and nobody else has to look.

So many ModelDeployments as there are, the registry answers a steady trickle: a few aliases are asked for one by one,
spread over the period; for many the registry's list is read, page by page, and only those that it does not know of or
that have moved are asked for themselves.
"""

from __future__ import annotations

import asyncio
import random
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


class Poll:
    """Asks one registry where the aliases point that somebody follows."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        aliases: Callable[[], tuple[str, ...]],
        moved: Callable[[str], None],
    ) -> None:
        """`aliases` returns what is followed, `moved` hears of one that does not mean what it meant."""
        self._period = settings.registry_poll_seconds
        self._registry = registry
        self._aliases = aliases
        self._moved = moved

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.gather(
                self._look_at(self._aliases()),
                asyncio.sleep(self._period * random.uniform(LEAST, 1.0)),  # noqa: S311 to spread, not to hide
            )

    async def _look_at(self, aliases: tuple[str, ...]) -> None:
        """Ask for each of some aliases once, or, of many, for those that the registry's list does not settle."""
        spread = LEAST * self._period
        if len(aliases) * PACE_SECONDS <= spread:
            await self._ask(aliases, spread / max(len(aliases), 1))
            return
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
        await self._ask(left.values(), PACE_SECONDS)

    async def _ask(self, aliases: Iterable[str], pace: float) -> None:
        """Ask for each by itself."""
        for uri in aliases:
            if await self._registry.ask_again(uri):
                self._moved(uri)
            await asyncio.sleep(pace)
