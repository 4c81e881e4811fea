"""Oracle I10's witness: a second ModelDeployment in a world, which nothing befalls and which somebody goes on using.

It stands for everybody else's: whatever one object suffers, another's spec is acted on as soon as ever, and its
requests are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable
from typing import Any

from campaign.api import Api
from campaign.past import Past
from ferryman.cluster import kinds

NAME = "steady"
URI = "s3://models/steady"

PAUSE_SECONDS = 3.0
"""Between an edit that was acted on and the next."""

PATIENCE = 60.0


def concerns(name: str) -> bool:
    """Tell whether an object is the witness, or belongs to it."""
    return name == NAME or name.startswith(f"{NAME}-")


class Bystander:
    """The witness of one world."""

    def __init__(self, api: Api, past: Past, namespace: str) -> None:
        self._api = api
        self._past = past
        self._namespace = namespace
        self._floors = itertools.cycle((2, 1))
        self._using: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self.there = False
        self.waits: list[float] = []
        """Seconds from each edit until it was acted on."""

    async def come(self) -> None:
        """Be made, and be stable."""
        await self._api.apply(
            kinds.MODEL_DEPLOYMENT,
            {
                "apiVersion": kinds.MODEL_DEPLOYMENT.api_version,
                "kind": kinds.MODEL_DEPLOYMENT.name,
                "metadata": {"name": NAME, "namespace": self._namespace},
                "spec": {
                    "model": {"uri": URI},
                    "scaling": {"minReplicas": 1, "maxReplicas": 4},
                    "routing": {"hosts": ["steady.example.com"], "gateways": ["istio-system/ingress"]},
                },
            },
        )
        await self._until(lambda: (self._status().get("traffic") or {}).get("display") == "100/0")
        self.there = True

    async def go(self) -> None:
        """Be deleted, with all that belongs to it."""
        await self._api.delete(kinds.MODEL_DEPLOYMENT, self._namespace, NAME)
        looked_at = (kinds.MODEL_DEPLOYMENT, *kinds.CHILDREN, *kinds.MESH_CHILDREN, kinds.POD, kinds.REPLICA_SET)
        await self._until(
            lambda: (
                not any(
                    concerns(body["metadata"]["name"])
                    for kind in looked_at
                    for body in self._past.now(self._namespace, kind)
                )
            )
        )
        self.there = False

    def begin(self) -> None:
        """Let somebody use it from now on: edit its floor again and again."""
        self.waits = []
        if self.there:
            self._enough.clear()
            self._using = asyncio.create_task(self._use(), name=f"user of {self._namespace}/{NAME}")

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
            change = {"spec": {"scaling": {"minReplicas": floor}}}
            await self._api.patch(kinds.MODEL_DEPLOYMENT, self._namespace, NAME, change)
            edited = loop.time()
            try:
                await self._until(lambda floor=floor: self._floor() == floor)
            except TimeoutError:
                self.waits.append(math.inf)
                return
            self.waits.append(loop.time() - edited)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._enough.wait()

    def _floor(self) -> int | None:
        autoscalers = self._past.now(self._namespace, kinds.AUTOSCALER)
        return next((each["spec"]["minReplicas"] for each in autoscalers if concerns(each["metadata"]["name"])), None)

    def _status(self) -> dict[str, Any]:
        mine = self._past.now(self._namespace, kinds.MODEL_DEPLOYMENT)
        return next((each.get("status") or {} for each in mine if each["metadata"]["name"] == NAME), {})

    async def _until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not so():  # noqa: ASYNC110 the memory of the store has no event for it
                await asyncio.sleep(0.05)
