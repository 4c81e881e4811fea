"""What one look at the cluster showed, as plain values: the planner's only eyes.

`cluster/observe.py` fills these records from the apiserver; tests build them by hand. Nothing here knows how the
look was made, and nothing in here is ever guessed: what was not seen is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.api.revision import Revision
from ferryman.api.status import ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a revision's pods from becoming ready, as the cluster tells it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Backend:
    """One revision as it runs: its Deployment, and whether the Service that a route would name is there."""

    revision: str
    desired: int = 0
    """Pods that the Deployment asks for now (set by its autoscaler)."""
    available: int = 0
    """Pods that are ready, and have been for the Deployment's minReadySeconds."""
    deployed: bool = False
    """The Deployment exists."""
    addressed: bool = False
    """The Service exists; with Istio, those of both addresses and their DestinationRules."""
    obstacle: Obstacle | None = None
    """What keeps its pods from becoming ready, if anything does."""
    record: Revision | None = None
    """The revision's own record, from the Deployment's annotation; what a wiped status is rebuilt from."""


@dataclass(frozen=True, slots=True)
class Route:
    """What the VirtualService says now: live weights and mirrored shares, by revision, in percent."""

    weights: Mapping[str, int] = field(default_factory=dict)
    mirrors: Mapping[str, int] = field(default_factory=dict)
    matched: str | None = None
    """The revision that chosen requests go to, whatever the weights."""

    def names(self, revision: str) -> bool:
        """Tell whether the route mentions the revision at all, be it at weight 0."""
        return revision in self.weights or revision in self.mirrors or revision == self.matched


@dataclass(frozen=True, slots=True)
class Node:
    """A node that takes new pods, and what is left on it."""

    name: str
    free: Mapping[str, float] = field(default_factory=dict)
    """What may still be requested, by resource, in its base unit: cores, bytes, devices, and `pods`."""
    total: Mapping[str, float] = field(default_factory=dict)
    """What the node has for pods in all, by resource, in the same units."""
    gpu_only: bool = False
    """The node is tainted for `nvidia.com/gpu`: only pods that ask for GPUs may go there."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at everything a ModelDeployment owns."""

    mesh: bool
    """The cluster serves Istio's VirtualService and DestinationRule."""
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """Every revision of which anything was found, by name."""
    route: Route | None = None
    """The VirtualService, if it is there."""
    front: str | None = None
    """The revision that the front Service selects, if it is there."""
    memory: ModelDeploymentStatus | None = None
    """The decisions as the front Service's annotation remembers them; what a wiped status is rebuilt from."""
    nodes: tuple[Node, ...] | None = None
    """The nodes with their free room; None when nobody asked, or when the operator may not look."""
    children: tuple[dict[str, Any], ...] = ()
    """The owned objects themselves, as the apiserver returned them: what `apply` compares with and prunes from."""

    def backend(self, revision: str) -> Backend:
        """Return what was seen of a revision; an empty record if nothing was."""
        return self.backends.get(revision, Backend(revision=revision))
