"""Who starts the operator of a world, and starts it anew whenever it ends, as a kubelet would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from campaign.proxy import FaultProxy
from campaign.warm import Nursery
from localcluster import controlplane

RESTART_SECONDS = 0.1
"""What a kubelet needs, at its best, to start a container again."""

TOKEN = "planted-7c1d9e04"
CLOSED_PORT = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an operator looks by itself, in seconds."""

    resync: float
    sweep: float


class Keeper:
    """One operator process after another."""

    def __init__(
        self, nursery: Nursery, proxy: FaultProxy, namespace: str, log: Path, began: Callable[[], None]
    ) -> None:
        self._nursery = nursery
        self._proxy = proxy
        self._namespace = namespace
        self._log = log
        self._began = began
        self._pid = 0
        self._metrics_port = 0
        self._keeping: asyncio.Task[None] | None = None
        self.restarts: list[int] = []
        """The exit code of each process that ended by itself, or by a fault."""

    async def start(self, pace: Pace) -> None:
        """Start an operator, and from then on another whenever it ends."""
        self._metrics_port, health = controlplane.free_ports(2)
        environment = {
            "KUBECONFIG": str(self._proxy.kubeconfig),
            "FERRYMAN_NAMESPACES": self._namespace,
            "FERRYMAN_METRICS_PORT": str(self._metrics_port),
            "FERRYMAN_LIVENESS_PORT": str(health),
            "FERRYMAN_DRAIN_SECONDS": "1",
            "FERRYMAN_RESYNC_SECONDS": str(pace.resync),
            "FERRYMAN_SWEEP_SECONDS": str(pace.sweep),
            "FERRYMAN_TRACKING_URI": CLOSED_PORT,
            "MLFLOW_TRACKING_TOKEN": TOKEN,
        }
        await self._begin(environment)
        self._keeping = asyncio.create_task(self._keep(environment), name=f"keeper of {self._namespace}")

    async def stop(self) -> None:
        """End the operator, as a node that fails would."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await asyncio.shield(self._nursery.ended(self._pid))
            self._pid = 0

    def forget(self) -> None:
        """Begin a new account: an empty log, and no restart."""
        self._log.unlink(missing_ok=True)
        self.restarts = []

    def said(self) -> str:
        """Return the log of all processes since the account began."""
        try:
            return self._log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    async def metrics(self) -> str:
        """Return what the operator's metrics say; nothing if it does not answer."""
        url = f"http://127.0.0.1:{self._metrics_port}/metrics"
        timeout = aiohttp.ClientTimeout(total=5)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
                return await answer.text()
        return ""

    async def _keep(self, environment: dict[str, str]) -> None:
        while True:
            self.restarts.append(await asyncio.shield(self._nursery.ended(self._pid)))
            await asyncio.sleep(RESTART_SECONDS)
            await self._begin(environment)

    async def _begin(self, environment: dict[str, str]) -> None:
        self._pid = await self._nursery.start(environment, self._log)
        self._proxy.born(self._pid)
        self._began()
