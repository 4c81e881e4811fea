"""How many writes a second the operator sends at most, all objects together."""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from ferryman.cluster import kinds
from ferryman.cluster.kinds import Kind

WRITES_PER_SECOND = 50.0
BURST = 200.0
"""More than many rollouts write at once. A fault that makes the operator write on and on is kept to the rate."""

EVENTS_PER_SECOND = 10.0
EVENTS_BURST = 50.0
"""Events have a measure of their own, so that telling never holds up doing."""


class Rate:
    """The measures that every write is counted against.

    Who waits is served in the order of coming. No look waits for more than the one write that it is about to send, so
    among N looks at work each has every Nth turn, however much one of them has to write.
    """

    def __init__(self) -> None:
        self._writes = AsyncLimiter(BURST, BURST / WRITES_PER_SECOND)
        self._events = AsyncLimiter(EVENTS_BURST, EVENTS_BURST / EVENTS_PER_SECOND)

    async def turn(self, kind: Kind) -> None:
        """Wait until a write to an object of this kind may be sent; a lease is renewed in time or lost: at once."""
        if kind == kinds.LEASE:
            return
        await (self._events if kind == kinds.EVENT else self._writes).acquire()
