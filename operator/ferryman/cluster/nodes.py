"""The nodes and the room that is left on them: what a candidate's pods may hope for.

Looking at every pod of a cluster is the dearest thing that the operator does, and the answer only warns. So one look
serves every ModelDeployment for a while, never two run at once, and one that fails is as good as none.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kubernetes.utils import quantity

from ferryman.api.server import GPU
from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client
from ferryman.observed import Node

Body = dict[str, Any]
Amounts = dict[str, float]

REMEMBER_SECONDS = 15.0
REFUSED_SECONDS = 300.0
LOOK_SECONDS = 20.0

_RUNNING = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
"""The pods that take room on a node; those that are being deleted take it until they are gone."""

log = logging.getLogger(__name__)


class Nodes:
    """The cluster's nodes, as new as a quarter of a minute."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._answer: tuple[Node, ...] | None = None
        self._until: float | None = None
        self._told = False

    async def __call__(self) -> tuple[Node, ...] | None:
        """Return the nodes that take new pods; None if the operator may not look, or cannot."""
        async with self._one_at_a_time:
            if self._until is None or self._clock() >= self._until:
                self._answer, remember = await self._look()
                self._until = self._clock() + remember
            return self._answer

    async def _look(self) -> tuple[tuple[Node, ...] | None, float]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                used: defaultdict[str, Amounts] = defaultdict(dict)
                async for pod in self._client.pages(kinds.POD, fields=_RUNNING):
                    _add(used[pod["spec"]["nodeName"]], {**request(pod), "pods": 1.0})
                open_ = [
                    room async for body in self._client.pages(kinds.NODE) if (room := taking(body, used)) is not None
                ]
                return tuple(open_), REMEMBER_SECONDS
        except errors.Forbidden:
            if not self._told:
                log.info(
                    "the operator may not list the cluster's nodes and pods, so whether a candidate finds room is "
                    "seen only when its pods are there"
                )
            self._told = True
            return None, REFUSED_SECONDS
        except (errors.ClusterError, TimeoutError, ValueError) as error:
            log.warning("the room on the nodes is not known: %s", str(error) or "no answer in time")
            return None, REMEMBER_SECONDS


def taking(node: Body, used: Mapping[str, Amounts]) -> Node | None:
    """Return the node with what the requests of its pods leave; None if it takes no pods of ours."""
    taints = _taints(node)
    if not _takes(node) or taints - {(GPU, "NoSchedule")}:  # the one that pods of ours tolerate, if they ask for GPUs
        return None
    name = node["metadata"]["name"]
    total = _amounts((node.get("status") or {}).get("allocatable"))
    taken = used.get(name, {})
    free = {resource: most - taken.get(resource, 0.0) for resource, most in total.items()}
    return Node(name=name, free=free, total=total, gpu_only=bool(taints))


def request(pod: Body) -> Amounts:
    """Return what the scheduler sets aside for a pod.

    Containers run together, with those sidecars that began before them; steps of the initialization run one by one.
    """
    spec = pod["spec"]
    peak: Amounts = {}
    together: Amounts = {}
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            _add(together, _asked(container))
            _raise(peak, together)
        else:
            step = dict(together)
            _add(step, _asked(container))
            _raise(peak, step)
    for container in spec.get("containers") or []:
        _add(together, _asked(container))
    _raise(together, peak)
    together.update(_asked(spec))  # what the pod asks for as a whole stands in place of its containers'
    _add(together, _amounts(spec.get("overhead")))
    return together


@lru_cache(maxsize=4096)
def amount(value: str | int) -> float:
    """Return a Kubernetes quantity in its base unit."""
    return float(quantity.parse_quantity(value))


def _amounts(quantities: Body | None) -> Amounts:
    return {resource: amount(value) for resource, value in (quantities or {}).items()}


def _asked(container: Body) -> Amounts:
    resources = container.get("resources") or {}
    return {**_amounts(resources.get("limits")), **_amounts(resources.get("requests"))}


def _add(sum_: Amounts, more: Amounts) -> None:
    for resource, value in more.items():
        sum_[resource] = sum_.get(resource, 0.0) + value


def _raise(least: Amounts, to: Amounts) -> None:
    for resource, value in to.items():
        least[resource] = max(least.get(resource, 0.0), value)


def _takes(node: Body) -> bool:
    """The node is ready, and nobody has closed it."""
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable", False)


def _taints(node: Body) -> set[tuple[str, str]]:
    """Return the keys and effects of the taints that keep pods away."""
    taints = (node.get("spec") or {}).get("taints") or []
    return {(taint["key"], taint["effect"]) for taint in taints if taint["effect"] in {"NoSchedule", "NoExecute"}}
