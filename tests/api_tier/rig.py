"""A client behind the fault proxy, and a process that only sleeps, which is killed in the operator's place."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from campaign.faults import Fault, Plan, Requests
from campaign.proxy import FaultProxy
from campaign.tape import Exchange

from api_tier.direct import connected
from api_tier.kubectl import Kubectl
from ferryman.cluster.client import Client
from ferryman.cluster.kinds import Kind
from localcluster import controlplane, pki

CONFIG = Kind("ConfigMap", "", "v1", "configmaps")
WRITES = Requests(writes=True)
OURS = {"test": "fault-proxy"}
"""Labels, for there are other objects of the kind."""


class Rig:
    """A client behind the proxy, and the process that takes the operator's place at its killing."""

    def __init__(self, proxy: FaultProxy, memory: Memory, kubectl: Kubectl) -> None:
        self.proxy = proxy
        self.kubectl = kubectl
        self.namespace = str(kubectl.namespace)
        self.child: subprocess.Popen[bytes] | None = None
        self.memory = memory
        self.client: Client
        self._connection = AsyncExitStack()

    async def run(self, *faults: Fault, seed: int = 0) -> None:
        """Begin a new run, with a first life."""
        self.proxy.load(Plan(name="test", workload="none", faults=faults, seed=seed))
        await self.bear()

    async def bear(self) -> None:
        """Begin a life: a process, and connections of its own."""
        await self.end()
        self.client = await self._connection.enter_async_context(connected(self.proxy.kubeconfig))
        self.child = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 it starts in a moment
        self.proxy.born(self.child.pid)

    async def end(self) -> None:
        await self._connection.aclose()
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    async def died(self) -> None:
        """Wait until the proxy has killed the process, and see that it did."""
        assert self.child is not None
        await asyncio.wait_for(self.proxy.died.wait(), 10)
        assert self.child.wait() == -9

    async def apply(self, name: str, **data: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace, "labels": OURS}
        return await self.client.apply(
            CONFIG, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )

    async def get(self, name: str) -> dict[str, Any]:
        return await self.client.get(CONFIG, self.namespace, name)

    def stored(self) -> dict[str, Any]:
        """What is in the store, whatever the client was told."""
        return {
            each["metadata"]["name"]: each.get("data", {}) for each in self.kubectl.list("configmaps", "-l", "test")
        }

    def told(self) -> list[tuple[str, str, int, bool, str | None]]:
        return [_brief(exchange) for exchange in self.proxy.tape.exchanges]

    @asynccontextmanager
    async def watching(self, **more: str) -> AsyncIterator[Watch]:
        """Open a watch of our objects, from now on; it is accepted when this returns."""
        config = yaml.safe_load(self.proxy.kubeconfig.read_text())["clusters"][0]["cluster"]
        context = ssl.create_default_context(cafile=config["certificate-authority"])
        listed = await self.client._request("list", CONFIG, "GET", self.namespace, query={"labelSelector": "test"})
        since = listed["metadata"]["resourceVersion"]
        query = {"watch": "true", "labelSelector": "test", "resourceVersion": since, **more}
        url = config["server"] + CONFIG.path(self.namespace)
        async with aiohttp.ClientSession(trust_env=False) as session:
            session._retry_connection = False  # for it would ask again, of the next life
            chosen = {name: value for name, value in query.items() if value}
            async with session.get(url, params=chosen, ssl=context) as response:
                watch = Watch(response)
                yield watch
                watch.task.cancel()


class Watch:
    """What comes out of a watch, and how it ends."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.heard: list[tuple[str, str]] = []
        self.ended: Exception | bool = False
        self.task = asyncio.create_task(self._read(response))

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        try:
            async for line in response.content:
                event = json.loads(line)
                what = event["object"]
                self.heard.append((event["type"], what.get("metadata", {}).get("name") or what.get("code", "")))
        except aiohttp.ClientError as error:
            self.ended = error
        else:
            self.ended = True

    async def hears(self, *what: tuple[str, Any]) -> None:
        await eventually(lambda: len(self.heard) >= len(what) or self.ended)
        assert self.heard == list(what)

    async def ends(self) -> Exception | bool:
        await eventually(lambda: self.ended)
        return self.ended


async def eventually(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not look():  # noqa: ASYNC110 what is looked at has no event
            await asyncio.sleep(0.01)


def _brief(exchange: Exchange) -> tuple[str, str, int, bool, str | None]:
    return (exchange.verb, exchange.name, exchange.status, exchange.effective, exchange.fault)


class Memory:
    """Remembers ConfigMaps by hand."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def take(self, body: dict[str, Any]) -> None:
        self.bodies.append(body)

    async def list_at(self, _resource: str, namespace: str | None, labels: str, _fields: str, revision: int) -> Any:
        names = {body["metadata"]["name"] for body in self.bodies}
        items = [await self.get_at("configmaps", namespace, name, revision) for name in sorted(names)]
        assert labels == "test"
        return {
            "kind": "ConfigMapList",
            "metadata": {"resourceVersion": str(revision)},
            "items": [item for item in items if item],
        }

    async def get_at(self, _resource: str, namespace: str | None, name: str, revision: int) -> Any:
        found = None
        for body in self.bodies:
            metadata = body["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name) and int(
                metadata["resourceVersion"]
            ) <= revision:
                found = body
        return found


@asynccontextmanager
async def rigged(plane: controlplane.ControlPlane, kubectl: Kubectl, directory: Path) -> AsyncIterator[Rig]:
    """Stand a proxy before the apiserver, with a first run that has no faults."""
    memory = Memory()
    proxy = FaultProxy(plane.kubeconfig, pki.Authority(plane.directory / "pki"), directory, memory)
    await proxy.start()
    rig = Rig(proxy, memory, kubectl)
    try:
        await rig.run()
        yield rig
    finally:
        await rig.end()
        await proxy.stop()
