"""kopf's doors. Nothing is decided behind them: each puts the name of a ModelDeployment into the queue.

A child, or a pod, names its ModelDeployment in a label. There is no finalizer, daemon, timer or create/update
handler: each of them would write to the object, or hold up its deletion while the operator is down.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import kopf

from ferryman.cluster import kinds, sweep
from ferryman.cluster.kinds import Kind
from ferryman.cluster.queue import Key

LOGIN_SECONDS = 60.0
"""Credentials that were refused this soon after they were read may be the same still."""


class Backoffs:
    """Waits between the attempts of kopf's own requests, without end: a watch that gives up would leave us deaf."""

    def __iter__(self) -> Iterator[float]:
        """Begin again with a short wait."""
        wait = 0.5
        while True:
            yield wait * random.uniform(0.5, 1.0)  # noqa: S311 to spread, not to hide
            wait = min(wait * 2, 30.0)


class Heard(Protocol):
    """Takes in which object an event told of."""

    def __call__(self, kind: Kind, metadata: Mapping[str, Any], *, gone: bool) -> None:
        """Take in one event."""


class Login:
    """Reads the credentials anew whenever the apiserver refused them: a projected token changes every hour.

    kopf takes no credentials that were refused once, and would end its watches if the token is still the same; so
    each reading is told apart from the one before. What is refused again and again is tried less and less often.
    """

    def __init__(self) -> None:
        self._times = 0
        self._last = float("-inf")
        self._waits = iter(Backoffs())

    async def read(self, **context: Any) -> kopf.ConnectionInfo | None:
        """Return what stands in the pod, or in the kubeconfig, now."""
        clock = asyncio.get_running_loop().time
        if clock() - self._last > LOGIN_SECONDS:
            self._waits = iter(Backoffs())
        else:
            await asyncio.sleep(next(self._waits))
        self._last, self._times = clock(), self._times + 1
        found = await asyncio.to_thread(kopf.login_via_client, **context)
        return dataclasses.replace(found, priority=self._times) if found is not None else None


def doors(enqueue: Callable[[Key], None], heard: Heard, *, mesh: bool) -> kopf.OperatorRegistry:
    """Return every door, each leading to `enqueue`; those for Istio's kinds only where they are served."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(id="credentials", backoff=2.0, registry=registry)(Login().read)
    for kind in (kinds.MODEL_DEPLOYMENT, *sweep.watched(mesh=mesh)):
        kopf.on.event(*_address(kind), id=kind.plural, registry=registry)(_door(kind, enqueue, heard))
    return registry


def _door(kind: Kind, enqueue: Callable[[Key], None], heard: Heard) -> Callable[..., Any]:
    async def door(meta: Mapping[str, Any], type: str | None, **_: Any) -> None:  # noqa: A002 kopf's name for it
        """Say that an object was made, changed or deleted, to the ModelDeployment that it is or belongs to."""
        heard(kind, meta, gone=type == "DELETED")
        key = sweep.owner(kind, meta)
        if key is not None:
            enqueue(key)

    return door


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
    for kind in sweep.watched(mesh=mesh):
        chosen.watching.label_selectors[_address(kind)] = sweep.selector(kind)
    return chosen


def _address(kind: Kind) -> tuple[str, str, str]:
    return (kind.group, kind.version, kind.plural)
