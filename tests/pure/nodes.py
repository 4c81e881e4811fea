"""The children as they stand, and the controllers and nodes that make pods of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pure import contract
from pure.looks import Key

from ferryman.api.conditions import Reason
from ferryman.api.revision import Revision
from ferryman.observed import Backend, Obstacle
from ferryman.render import names

START = datetime(2026, 1, 1, tzinfo=UTC)
UNLOADED = Obstacle(Reason.LOAD_FAILED, "it does not load")
UNPLACED = Obstacle(Reason.UNSCHEDULABLE, "no node has a GPU left")


@lru_cache(maxsize=256)
def _record(text: str) -> Revision:
    return Revision.model_validate({**json.loads(text), "since": START})


@dataclass
class Nodes:
    """Everything that the ModelDeployment owns, and its pods."""

    mesh: bool = True
    gpus: int | None = None
    """How many pods the nodes have room for; None for as many as are asked for."""
    children: dict[Key, dict[str, Any]] = field(default_factory=dict)
    uids: dict[Key, int] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    desired: dict[str, int] = field(default_factory=dict)
    placed: dict[str, int] = field(default_factory=dict)
    available: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """The models whose pods never become ready."""
    obstacles: dict[str, Obstacle] = field(default_factory=dict)
    """Why not, by model; LOAD_FAILED where nothing is said."""

    def backend(self, revision: str) -> Backend:
        deployment = self.children.get(("Deployment", revision))
        desired = self.desired.get(revision, 0)
        obstacle = UNPLACED if self.gpus is not None and self.room(revision) < desired else None
        if deployment is not None and self.model_of(revision) in self.broken:
            obstacle = self.obstacles.get(self.model_of(revision) or "", UNLOADED)
        return Backend(
            revision=revision,
            desired=desired,
            available=min(self.available.get(revision, 0), desired),
            deployed=deployment is not None,
            addressed=self.addressed(revision),
            obstacle=obstacle,
            record=_record(deployment["metadata"]["annotations"][names.ANNOTATION_RECORD]) if deployment else None,
        )

    def addressed(self, revision: str) -> bool:
        if not self.mesh:
            return ("Service", revision) in self.children
        addresses = (revision, names.canary(revision))
        return all((kind, name) in self.children for kind in ("Service", "DestinationRule") for name in addresses)

    def model_of(self, revision: str) -> str | None:
        deployment = self.children.get(("Deployment", revision))
        if deployment is None:
            return None
        return _record(deployment["metadata"]["annotations"][names.ANNOTATION_RECORD]).model.uri

    def version_of(self, key: Key) -> str:
        """Return a child's resourceVersion; a Deployment's moves with its pods, too."""
        kind, name = key
        pods = f".{self.desired.get(name, 0)}.{self.available.get(name, 0)}" if kind == "Deployment" else ""
        return f"{self.versions.get(key, 0)}{pods}"

    def scale(self, name: str, replicas: int) -> None:
        """Set a Deployment's number of pods; those that are not ready go first."""
        self.desired[name] = replicas
        self.available[name] = min(self.available.get(name, 0), replicas)

    def autoscale(self, name: str, load: int | None = None) -> None:
        """Let a revision's autoscaler act on a load, or only bring the pods into its bounds.

        As the real one it leaves a Deployment at 0 alone, and moves what is out of its bounds whatever its behavior.
        """
        scaler, has = self.children.get(("HorizontalPodAutoscaler", name)), self.desired.get(name, 0)
        if scaler is None or has == 0 or ("Deployment", name) not in self.children:
            return
        wanted = has if load is None or (load < has and "behavior" in scaler["spec"]) else load
        before = replace(self, desired=dict(self.desired))
        self.scale(name, min(max(wanted, scaler["spec"]["minReplicas"]), scaler["spec"]["maxReplicas"]))
        contract.of_an_autoscaler(before, self, name)

    def room(self, name: str) -> int:
        """Return how many pods of a revision are on nodes; those that came first stay."""
        if self.gpus is None:
            return self.desired.get(name, 0)
        self.placed = {each: min(self.placed.get(each, 0), wanted) for each, wanted in self.desired.items()}
        for each, wanted in self.desired.items():
            self.placed[each] += min(wanted - self.placed[each], max(0, self.gpus - sum(self.placed.values())))
        return self.placed.get(name, 0)

    def ready(self, name: str | None = None, pods: int | None = None) -> None:
        """Let every pod that can become ready become so; or so many pods of one revision be ready."""
        for kind, each in self.children:
            if kind == "Deployment" and name in (None, each):
                good = self.model_of(each) not in self.broken
                most = self.room(each) if good else 0
                self.available[each] = most if pods is None else min(pods, most)

    def lose(self, revision: str) -> None:
        """Take every pod of a revision away."""
        self.available[revision] = 0
