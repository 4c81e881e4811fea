"""Who looks on at requests, as the settings want it. Imported only where they do."""

from ferryman_server.settings import Settings
from ferryman_server.witness import Witnesses


class Watching:
    """What `life` begins with a server and ends with it."""

    def __init__(self, settings: Settings, family: str) -> None:
        from ferryman_server.sampling import port, ring, sampler  # noqa: PLC0415 - as said

        kept = ring.Ring(settings.sample_count, settings.sample_bytes)
        self.witnesses: Witnesses = sampler.Sampler(settings.sample_percent, kept, settings.sample_bytes)
        self._port = port.Port(settings, kept, family)

    async def open(self) -> None:
        """Before the load, so that a taken port is said at once."""
        await self._port.open()

    async def close(self) -> None:
        """After the last request."""
        self._port.close()
