"""Everything that the store ever held, by revision: for oracles that look at each state, and for travels in time.

Revisions are etcd's, one order for all objects. What is kept of a namespace is dropped when its next run begins.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from campaign.api import Api, Refused
from ferryman.cluster import kinds
from ferryman.cluster.kinds import Kind

Body = dict[str, Any]

LEASE = Kind("Lease", "coordination.k8s.io", "v1", "leases")
WATCHED = (
    kinds.MODEL_DEPLOYMENT,
    *kinds.CHILDREN,
    *kinds.MESH_CHILDREN,
    kinds.POD,
    kinds.REPLICA_SET,
    LEASE,
)
BY_PLURAL = {kind.plural: kind for kind in (*WATCHED, kinds.EVENT, kinds.NODE)}


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one object; none as its body means that it is gone."""

    revision: int
    at: float
    """The event loop's time when we heard of it."""
    kind: Kind
    name: str
    body: Body | None


class Past:
    """What was seen in each namespace."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._seen: dict[str, list[Version]] = defaultdict(list)
        self._latest: dict[str, dict[tuple[Kind, str], Version]] = defaultdict(dict)
        self._known: dict[str, set[tuple[Kind, str, int]]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._reached: dict[str, int] = {}
        self.told: Callable[[Version], None] = lambda _: None
        """Who hears of each version at once."""

    async def start(self) -> None:
        """Begin to watch; returns when every kind was listed once."""
        listed = [asyncio.Event() for _ in WATCHED]
        self._tasks = [
            asyncio.create_task(self._follow(kind, ready), name=f"past of {kind.plural}")
            for kind, ready in zip(WATCHED, listed, strict=True)
        ]
        await asyncio.gather(*(ready.wait() for ready in listed))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self, namespace: str) -> int:
        """Begin a new account of a namespace; return the revision from which on it is complete."""
        kept = [version for version in self._latest[namespace].values() if version.body is not None]
        self._seen[namespace] = sorted(kept, key=lambda version: version.revision)
        self._latest[namespace] = {(version.kind, version.name): version for version in kept}
        self._known[namespace] = {_identity(version) for version in kept}
        return max((version.revision for version in kept), default=0)

    def versions(self, namespace: str, after: int = 0) -> Iterator[Version]:
        """Return what was stored in a namespace after a revision, in the order of the store."""
        return iter(
            sorted(
                (version for version in self._seen[namespace] if version.revision > after),
                key=lambda version: version.revision,
            )
        )

    def heard(self, namespace: str) -> int:
        """Return how many versions were heard of in all."""
        return len(self._seen[namespace])

    def count(self, namespace: str, leave_out: Callable[[str], bool]) -> int:
        """Return how many versions were heard of, but for some names and what is never still: autoscalers, Leases."""
        return sum(
            1
            for version in self._seen[namespace]
            if version.kind not in {kinds.AUTOSCALER, LEASE} and not leave_out(version.name)
        )

    def now(self, namespace: str, kind: Kind) -> list[Body]:
        """Return the objects of a kind as we last heard of them."""
        latest = self._latest[namespace].values()
        return [each.body for each in latest if each.kind == kind and each.body is not None]

    async def list_at(
        self, resource: str, namespace: str | None, label_selector: str, field_selector: str, revision: int
    ) -> Body:
        """Return the list that a question would have got at a revision."""
        kind = BY_PLURAL[resource]
        if kind not in WATCHED or namespace is None:
            query = {"labelSelector": label_selector, "fieldSelector": field_selector}
            return await self._api.call("GET", kind.path(namespace), query={k: v for k, v in query.items() if v})
        items = [
            {key: value for key, value in body.items() if key not in {"apiVersion", "kind"}}
            for body in self._as_of(namespace, kind, revision)
            if _selected(body, label_selector)
        ]
        return {
            "apiVersion": kind.api_version,
            "kind": f"{kind.name}List",
            "metadata": {"resourceVersion": str(revision)},
            "items": items,
        }

    async def get_at(self, resource: str, namespace: str | None, name: str, revision: int) -> Body | None:
        """Return an object as it was at a revision; none if it was not there."""
        kind = BY_PLURAL[resource]
        if kind not in WATCHED or namespace is None:
            return await self._api.get(kind, namespace, name)
        found = (body for body in self._as_of(namespace, kind, revision) if body["metadata"]["name"] == name)
        return next(found, None)

    def _as_of(self, namespace: str, kind: Kind, revision: int) -> list[Body]:
        latest: dict[str, Body | None] = {}
        for version in self.versions(namespace):
            if version.kind == kind and version.revision <= revision:
                latest[version.name] = version.body
        return [body for body in latest.values() if body is not None]

    async def _follow(self, kind: Kind, ready: asyncio.Event) -> None:
        while True:
            try:
                listed = await self._api.call("GET", kind.path(None))
                since = listed["metadata"]["resourceVersion"]
                self._listed(kind, listed["items"], int(since))
                ready.set()
                async for event in self._api.events(kind, since):
                    if event["type"] == "ERROR":
                        break
                    body = {**event["object"], "apiVersion": kind.api_version, "kind": kind.name}
                    self._hear(kind, body, gone=event["type"] == "DELETED")
            except (aiohttp.ClientError, OSError, Refused):
                await asyncio.sleep(0.2)  # its kind, or the apiserver, is away for a moment

    def _listed(self, kind: Kind, items: list[Body], revision: int) -> None:
        """Take in a list; what is not in it any more went while nobody watched."""
        there = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items}
        for namespace in list(self._seen):
            for body in self.now(namespace, kind):
                if (namespace, body["metadata"]["name"]) not in there:
                    self._note(namespace, Version(revision, self._time(), kind, body["metadata"]["name"], None))
        for item in items:
            self._hear(kind, {**item, "apiVersion": kind.api_version, "kind": kind.name}, gone=False)

    def _hear(self, kind: Kind, body: Body, *, gone: bool) -> None:
        metadata = body["metadata"]
        revision = int(metadata["resourceVersion"])
        version = Version(revision, self._time(), kind, metadata["name"], None if gone else body)
        self._note(metadata["namespace"], version)

    def _note(self, namespace: str, version: Version) -> None:
        if _identity(version) in self._known[namespace]:
            return  # heard before, from a list
        self._known[namespace].add(_identity(version))
        self._seen[namespace].append(version)
        self._latest[namespace][version.kind, version.name] = version
        self.told(version)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()


def _identity(version: Version) -> tuple[Kind, str, int]:
    return version.kind, version.name, version.revision


def _selected(body: Body, selector: str) -> bool:
    """Tell whether an object bears the labels; the operator asks for equality and for existence alone."""
    labels = body["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        name, equals, value = term.partition("=")
        if name not in labels or (equals and labels[name] != value.lstrip("=")):
            return False
    return True
