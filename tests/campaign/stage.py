"""What a user does in a world, and how they wait: by what we hear of the store, without asking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from campaign.api import Api
from campaign.past import Past
from ferryman.cluster import kinds

Body = dict[str, Any]
NAME, BYSTANDER = "fraud", "steady"
"""The ModelDeployment that faults are for, and the one that only stands beside (bystander.py)."""
PATIENCE = 120.0
"""Seconds until a wait is given up; how soon it should have ended is for an oracle to say."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the two ModelDeployments in one namespace."""

    api: Api
    past: Past
    namespace: str
    name: str = NAME

    async def apply(self, uri: str, **spec: Any) -> None:
        """Apply the whole spec."""
        await self.api.apply(kinds.MODEL_DEPLOYMENT, manifest(self.namespace, uri, self.name, **spec))

    async def patch(self, **spec: Any) -> None:
        await self.api.patch(kinds.MODEL_DEPLOYMENT, self.namespace, self.name, {"spec": spec})

    async def canary(self, percent: int) -> None:
        await self.patch(rollout={"canary": {"trafficPercent": percent}})

    async def tell(self, verb: str, revision: str) -> None:
        change = {"metadata": {"annotations": {f"ferryman.dev/{verb}": revision}}}
        await self.api.patch(kinds.MODEL_DEPLOYMENT, self.namespace, self.name, change)

    async def delete(self, policy: str = "Background") -> None:
        await self.api.delete(kinds.MODEL_DEPLOYMENT, self.namespace, self.name, policy)

    def read(self) -> Body | None:
        mine = self.past.now(self.namespace, kinds.MODEL_DEPLOYMENT)
        return next((body for body in mine if body["metadata"]["name"] == self.name), None)

    def owns(self, name: str) -> bool:
        """Tell whether an object is it, or belongs to it; what nobody knows is taken for the first one's."""
        return is_bystanders(name) == (self.name == BYSTANDER)

    def changes(self) -> int:
        """Return how many changes of it, and of what belongs to it, were heard of."""
        return self.past.count(self.namespace, leave_out=lambda name: not self.owns(name))

    def status(self) -> Body:
        return (self.read() or {}).get("status") or {}

    def revision(self, role: str) -> str:
        return str((self.status().get(role) or {}).get("revision"))

    def stands(self, phase: str, traffic: str, **roles: str) -> bool:
        """Tell whether the rollout rests there, for this generation; `stable`/`candidate` name a URI."""
        body = self.read()
        status = self.status()
        return (
            body is not None
            and status.get("observedGeneration") == body["metadata"]["generation"]
            and status.get("phase") == phase
            and (status.get("traffic") or {}).get("display") == traffic
            and not status.get("retiring")
            and all((status.get(role) or {}).get("model", {}).get("uri") == uri for role, uri in roles.items())
        )

    async def rests(self, phase: str, traffic: str, **roles: str) -> None:
        await self.until(lambda: self.stands(phase, traffic, **roles), f"{phase} {traffic} {roles}")

    async def gone(self) -> None:
        """Wait until nothing of it is left."""
        await self.until(lambda: not self.left(), "everything is gone")

    def left(self) -> list[str]:
        """Return what still stands, by kind and name."""
        looked_at = (kinds.MODEL_DEPLOYMENT, *kinds.CHILDREN, *kinds.MESH_CHILDREN, kinds.POD, kinds.REPLICA_SET)
        return [
            f"{kind.name} {body['metadata']['name']}"
            for kind in looked_at
            for body in self.past.now(self.namespace, kind)
            if self.owns(body["metadata"]["name"])
        ]

    async def until(self, so: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not so():
            if loop.time() > deadline:
                raise TimeoutError(f"not within {within:g} s: {what}; status: {_brief(self.status())}")
            await asyncio.sleep(0.05)


def is_bystanders(name: str) -> bool:
    """Tell whether an object is the bystander, or belongs to it."""
    return name == BYSTANDER or name.startswith(f"{BYSTANDER}-")


def manifest(namespace: str, uri: str, name: str = NAME, **spec: Any) -> Body:
    """Return the manifest of a small model."""
    return {
        "apiVersion": kinds.MODEL_DEPLOYMENT.api_version,
        "kind": kinds.MODEL_DEPLOYMENT.name,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": uri},
            "routing": {"hosts": ["fraud.example.com"], "gateways": ["istio-system/ingress"]},
            **spec,
        },
    }


def _brief(status: Body) -> Body:
    shown = (
        "phase",
        "traffic",
        "stable",
        "candidate",
        "rejected",
        "withdrawn",
        "waiting",
        "reason",
        "observedGeneration",
    )
    return {name: status.get(name) for name in shown}
