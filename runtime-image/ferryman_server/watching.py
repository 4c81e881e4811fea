"""Who looks on at requests, as the settings want it. Imported only where they do, and only what they want."""

from collections.abc import Awaitable, Callable

from ferryman_server.settings import Settings
from ferryman_server.witness import Both, Witnesses


class Watching:
    """What `life` begins with a server and ends with it; `family` is the same in the processes of one pod."""

    def __init__(self, settings: Settings, family: str) -> None:
        self._settings = settings
        self._family = family
        self._ends: list[Callable[[], Awaitable[None]]] = []

    async def open(self) -> Witnesses | None:
        """Before the load, so that a taken port is said at once."""
        found = [one for one in (await self._samples(), self._traces()) if one is not None]
        return Both(*found) if len(found) > 1 else next(iter(found), None)

    async def close(self) -> None:
        """After the last request."""
        for end in self._ends:
            await end()

    async def _samples(self) -> Witnesses | None:
        settings = self._settings
        if not settings.sample_percent:
            return None
        from ferryman_server.sampling import port, ring, sampler  # noqa: PLC0415 - as said

        kept = ring.Ring(settings.sample_count, settings.sample_bytes)
        listening = port.Port(settings, kept, self._family)
        await listening.open()
        self._ends.append(listening.close)
        return sampler.Sampler(settings.sample_percent, kept, settings.sample_bytes)

    def _traces(self) -> Witnesses | None:
        if not self._settings.traces:
            return None
        from ferryman_server.tracing import spans  # noqa: PLC0415 - as said

        tracing = spans.Tracing(self._settings)
        self._ends.append(tracing.close)
        return tracing
