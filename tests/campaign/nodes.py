"""Plays the kubelet for all worlds: gives each pod its status as soon as the memory of the store hears of it."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
from api_tier import kubelet

from campaign.api import Api, Refused
from campaign.past import Past, Version
from ferryman.cluster import kinds


class Kubelet:
    """Writes nothing but the status of pods."""

    def __init__(self, api: Api, past: Past) -> None:
        self._api = api
        self._heard: asyncio.Queue[Version] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        past.told = self._hear

    async def start(self) -> None:
        """Begin to give."""
        self._tasks = [asyncio.create_task(self._run(), name=f"kubelet {number}") for number in range(4)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear(self, version: Version) -> None:
        if version.kind == kinds.POD and version.body is not None:
            self._heard.put_nowait(version)

    async def _run(self) -> None:
        while True:
            version = await self._heard.get()
            pod = version.body
            assert pod is not None
            status = kubelet.status_of(pod)
            if status is None or pod.get("status", {}).get("phase") == status["phase"]:
                continue
            namespace = pod["metadata"]["namespace"]
            # one that is refused went, or will be heard of again
            with contextlib.suppress(Refused, aiohttp.ClientError, TimeoutError):
                await self._api.patch(kinds.POD, namespace, version.name, {"status": status}, "status")
