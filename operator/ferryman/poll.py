"""Where aliases point, asked for now and then: whom a move concerns is told, and nobody else has to look.

So many ModelDeployments as there are, the registry answers a steady trickle: a few aliases are asked for one by one,
spread over the period; for many, one question brings all that there are, and only those that it does not know of are
asked for themselves.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from ferryman.api import reference
from ferryman.registry.answers import Registry
from ferryman.settings import Settings

PACE_SECONDS = 0.5
"""At most one question in so long: two a second."""
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
        """Ask for each of some aliases once."""
        spread = LEAST * self._period
        many = len(aliases) * PACE_SECONDS > spread
        table = await self._registry.aliases() if many else {}
        pace = PACE_SECONDS if many else spread / max(len(aliases), 1)
        for uri in aliases:
            named = reference.registry_reference(uri)
            stands = table.get((named.name, named.alias or "")) if named is not None else None
            if stands is not None and self._registry.stands(uri, stands):
                continue
            if await self._registry.ask_again(uri):
                self._moved(uri)
            await asyncio.sleep(pace)
