"""Oracle I10's witness: a second ModelDeployment in a world, which nothing befalls and which somebody goes on using.

It stands for everybody else's: whatever one object suffers, another's spec is acted on as soon as ever, and its
requests are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math

from campaign.stage import Stage
from ferryman.cluster import kinds

URI = "s3://models/steady"
PAUSE_SECONDS = 3.0
"""Between an edit that was acted on and the next."""

PATIENCE = 60.0


class Bystander:
    """The witness of one world."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._floors = itertools.cycle((2, 1))
        self._using: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self.there = False
        self.waits: list[float] = []
        """Seconds from each edit until it was acted on."""

    async def come(self) -> None:
        """Be made, and be stable."""
        routing = {"hosts": ["steady.example.com"], "gateways": ["istio-system/ingress"]}
        await self._stage.apply(URI, scaling={"minReplicas": 1, "maxReplicas": 4}, routing=routing)
        await self._stage.rests("Stable", "100/0", stable=URI)
        self.there = True

    async def go(self) -> None:
        """Be deleted, with all that belongs to it."""
        await self._stage.delete()
        await self._stage.gone()
        self.there = False

    def begin(self) -> None:
        """Let somebody use it from now on: edit its floor again and again."""
        self.waits = []
        if self.there:
            self._enough.clear()
            self._using = asyncio.create_task(self._use(), name=f"user of {self._stage.namespace}/{self._stage.name}")

    async def end(self) -> None:
        """Let the last edit be acted on, and make no further."""
        if self._using is not None:
            self._enough.set()
            await self._using
            self._using = None

    async def _use(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._enough.is_set():
            floor = next(self._floors)
            await self._stage.patch(scaling={"minReplicas": floor})
            edited = loop.time()
            try:
                await self._stage.until(lambda floor=floor: self._floor() == floor, "its floor", within=PATIENCE)
            except TimeoutError:
                self.waits.append(math.inf)
                return
            self.waits.append(loop.time() - edited)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._enough.wait()

    def _floor(self) -> int | None:
        autoscalers = self._stage.past.now(self._stage.namespace, kinds.AUTOSCALER)
        mine = (each for each in autoscalers if self._stage.owns(each["metadata"]["name"]))
        return next((each["spec"]["minReplicas"] for each in mine), None)
