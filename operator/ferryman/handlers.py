"""kopf's doors. Nothing is decided behind them: each puts the name of a ModelDeployment into the queue.

A child, or a pod, names its ModelDeployment in a label. There is no finalizer, daemon, timer or create/update
handler: each of them would write to the object, or hold up its deletion while the operator is down.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kopf

from ferryman.cluster import kinds
from ferryman.cluster.kinds import Kind
from ferryman.cluster.queue import Key
from ferryman.render import names

WATCHED = (*kinds.CHILDREN, kinds.POD)


class Backoffs:
    """Waits between the attempts of kopf's own requests, without end: a watch that gives up would leave us deaf."""

    def __iter__(self) -> Iterator[float]:
        """Begin again with a short wait."""
        wait = 0.5
        while True:
            yield wait * random.uniform(0.5, 1.0)  # noqa: S311 to spread, not to hide
            wait = min(wait * 2, 30.0)


def doors(enqueue: Callable[[Key], None], *, mesh: bool) -> kopf.OperatorRegistry:
    """Return every door, each leading to `enqueue`; those for Istio's kinds only where they are served."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_via_client)

    async def parent(namespace: str | None, name: str, **_: Any) -> None:
        """A ModelDeployment was made, changed or deleted."""
        if namespace is not None:
            enqueue(Key(namespace, name))

    async def child(namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        """Something that belongs to a ModelDeployment was made, changed or deleted."""
        owner = labels.get(names.LABEL_DEPLOYMENT)
        if namespace is not None and owner is not None:
            enqueue(Key(namespace, owner))

    kopf.on.event(*_address(kinds.MODEL_DEPLOYMENT), registry=registry)(parent)
    for kind in _watched(mesh=mesh):
        kopf.on.event(*_address(kind), id=f"child-{kind.plural}", registry=registry)(child)
    return registry


def settings(*, mesh: bool) -> kopf.OperatorSettings:
    """Return how kopf is to behave: short timeouts, endless patience, no posts, no peers, no writes of its own."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.persistence.finalizer = "ferryman.dev/operator"
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.networking.error_backoffs = Backoffs()
    chosen.watching.server_timeout = 300
    chosen.watching.inactivity_timeout = 70
    chosen.watching.reconnect_backoff = 1.0
    chosen.queueing.worker_limit = 64
    chosen.process.ultimate_exiting_timeout = 25
    # Kinds that come and go are found by our own look at discovery, which needs no right to list CRDs or namespaces.
    chosen.scanning.disabled = True
    for kind in _watched(mesh=mesh):
        chosen.watching.label_selectors[_address(kind)] = names.LABEL_DEPLOYMENT
    return chosen


def _watched(*, mesh: bool) -> tuple[Kind, ...]:
    return (*WATCHED, *kinds.MESH_CHILDREN) if mesh else WATCHED


def _address(kind: Kind) -> tuple[str, str, str]:
    return (kind.group, kind.version, kind.plural)
