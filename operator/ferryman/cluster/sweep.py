"""What the watches did not tell: a look at the versions of everything that is watched, held against what was heard.

A watch may lose an event, or hang, or leave out what was deleted while it was away. Each object's version as the last
event told it is kept here; a sweep lists the versions that there are, and what differs was lost. The sweep itself
writes nothing and reads no object: it names the ModelDeployments that are to be looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client
from ferryman.cluster.kinds import Kind
from ferryman.cluster.queue import Key
from ferryman.render import names

GRACE_SECONDS = 2.0
"""How long an event may take longer on its way than the list did."""

WATCHED = (*kinds.CHILDREN, kinds.POD)
"""Besides ModelDeployments, and Istio's kinds where those are served."""

log = logging.getLogger(__name__)


def _uncounted(_kind: str) -> None:
    """Count nothing."""


def watched(*, mesh: bool) -> tuple[Kind, ...]:
    """Return the kinds of what belongs to a ModelDeployment and tells of its changes."""
    return (*WATCHED, *kinds.MESH_CHILDREN) if mesh else WATCHED


def selector(kind: Kind) -> str:
    """Return which objects of a kind are watched."""
    return "" if kind == kinds.MODEL_DEPLOYMENT else names.LABEL_DEPLOYMENT


def owner(kind: Kind, metadata: Mapping[str, Any]) -> Key | None:
    """Return the ModelDeployment that an object is, or is labelled to belong to."""
    name = metadata["name"] if kind == kinds.MODEL_DEPLOYMENT else (metadata.get("labels") or {}).get(selector(kind))
    namespace = metadata.get("namespace")
    return Key(namespace, name) if namespace is not None and name is not None else None


@dataclass(frozen=True, slots=True)
class Known:
    """One object as it was last heard of, or listed."""

    key: Key
    version: str


Scope = tuple[Kind, str | None]
"""What one list tells of: a kind, in one namespace or in all."""


class Sweep:
    """What was heard of every object that is watched, and the search for what was not."""

    def __init__(
        self,
        client: Client,
        namespaces: Iterable[str],
        *,
        mesh: bool,
        lost: Callable[[str], None] = _uncounted,
    ) -> None:
        self._client = client
        self._lost = lost
        self._namespaces = tuple(namespaces)
        every = (kinds.MODEL_DEPLOYMENT, *watched(mesh=mesh))
        where: tuple[str | None, ...] = self._namespaces or (None,)
        self._known: dict[Scope, dict[str, Known]] = {(kind, each): {} for kind in every for each in where}
        self._heard: set[str] = set()

    def heard(self, kind: Kind, metadata: Mapping[str, Any], *, gone: bool) -> None:
        """Take in an event."""
        uid, key = metadata["uid"], owner(kind, metadata)
        self._heard.add(uid)
        scope = self._known.get((kind, metadata.get("namespace") if self._namespaces else None))
        if scope is None:
            return
        if gone or key is None:
            scope.pop(uid, None)
        else:
            scope[uid] = Known(key, metadata["resourceVersion"])

    async def __call__(self) -> set[Key]:
        """Return the ModelDeployments of which something changed that no event has told of."""
        self._heard.clear()
        listed = await asyncio.gather(*(self._list(*scope) for scope in self._known))
        await asyncio.sleep(GRACE_SECONDS)
        return {
            key
            for scope, found in zip(self._known, listed, strict=True)
            if found is not None
            for key in self._missed(scope, found)
        }

    def _missed(self, scope: Scope, found: dict[str, Known]) -> Iterator[Key]:
        """Name the owners of what is other than it was known to be, and know it from now on."""
        known = self._known[scope]
        for uid in (known.keys() | found.keys()) - self._heard:
            now, before = found.get(uid), known.get(uid)
            if now == before:
                continue
            if now is not None:
                known[uid] = now
            else:
                del known[uid]
            self._lost(scope[0].name)
            log.info("no event told that a %s of %s/%s changed", scope[0].name, *_owner(now, before))
            yield from {each.key for each in (now, before) if each is not None}

    async def _list(self, kind: Kind, namespace: str | None) -> dict[str, Known] | None:
        """List what there is; None if that cannot be known now, or in part only."""
        found: dict[str, Known] = {}
        try:
            async for metadata in self._client.metadata(kind, namespace, selector(kind)):
                key = owner(kind, metadata)
                if key is not None:
                    found[metadata["uid"]] = Known(key, metadata["resourceVersion"])
        except errors.ClusterError as error:
            log.warning("sweep: %s", error)
            return None
        return found


def _owner(*each: Known | None) -> Key:
    return next(known.key for known in each if known is not None)
