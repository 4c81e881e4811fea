"""A small cluster in memory, driven by the real planner: what the pure tests do things to.

It plays the apiserver (objects and status), the controllers (autoscaler floors become pods), the user (spec) and the
clock. It never decides anything about a rollout. Every write checks the promises that must hold at that very moment,
so that an order of writes that would lose a request fails the test that produced it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ferryman import plan as planner
from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.status import ModelDeploymentStatus, ResolvedModel, Revision
from ferryman.observed import Backend, Observed, Obstacle, Route
from ferryman.outcome import Notice, Plan, Resource, Unresolved
from ferryman.render import names
from ferryman.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings(server_image="server:1", server_gpu_image="server:1-gpu", drain_seconds=10)


class KilledError(Exception):
    """The operator died between two writes."""


@dataclass
class Cluster:
    """One ModelDeployment called `fraud`, everything it owns, and a clock."""

    spec: dict[str, Any] = field(default_factory=lambda: {"model": {"uri": "s3://models/v1"}})
    mesh: bool = True
    status: ModelDeploymentStatus = field(default_factory=ModelDeploymentStatus)
    children: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    desired: dict[str, int] = field(default_factory=dict)
    available: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    unresolved: Unresolved | None = None
    now: datetime = START
    generation: int = 1
    writes: int = 0
    notices: list[Notice] = field(default_factory=list)
    deleted_by_hand: set[str] = field(default_factory=set)
    routed: set[str] = field(default_factory=set)
    unrouted_since: dict[str, datetime] = field(default_factory=dict)

    # --- the user ---------------------------------------------------------------------------

    def patch(self, **sections: Any) -> None:
        """Change whole sections of the spec; None removes one."""
        merged = {**self.spec, **sections}
        self.spec = {name: value for name, value in merged.items() if value is not None}
        self.generation += 1

    def model(self, uri: str) -> None:
        """Point the spec at another model."""
        self.patch(model={"uri": uri})

    def percent(self, percent: int) -> None:
        """Move the canary's share, as `kubectl patch` does."""
        self.patch(rollout={**self.spec.get("rollout", {}), "canary": {"trafficPercent": percent}})

    # --- the planner's view -----------------------------------------------------------------

    def resource(self) -> Resource:
        meta = ObjectMeta(
            name="fraud", namespace="ml", uid="u-1", generation=self.generation, resource_version=str(self.writes)
        )
        return Resource(meta=meta, spec=ModelDeploymentSpec.model_validate(self.spec), status=self.status)

    def resolved(self) -> ResolvedModel | Unresolved:
        uri = self.spec["model"]["uri"]
        return self.unresolved or ResolvedModel(uri=uri, requested=uri)

    def observed(self) -> Observed:
        labels = (child["metadata"]["labels"] for child in self.children.values())
        revisions = {label[names.LABEL_REVISION] for label in labels if names.LABEL_REVISION in label}
        front = self.children.get(("Service", "fraud"))
        return Observed(
            mesh=self.mesh,
            backends={name: self.backend(name) for name in sorted(revisions)},
            route=self.route(),
            front=front["spec"]["selector"][names.LABEL_REVISION] if front else None,
            children=tuple(self.children.values()),
        )

    def backend(self, revision: str) -> Backend:
        deployment = self.children.get(("Deployment", revision))
        broken = self.model_of(revision) in self.broken
        obstacle = Obstacle(Reason.LOAD_FAILED, "it does not load") if broken else None
        record = None
        if deployment is not None:
            annotation = json.loads(deployment["metadata"]["annotations"][names.ANNOTATION_RECORD])
            record = Revision.model_validate({**annotation, "since": START})
        return Backend(
            revision=revision,
            desired=self.desired.get(revision, 0),
            available=self.available.get(revision, 0),
            deployed=deployment is not None,
            addressed=self.addressed(revision),
            obstacle=obstacle,
            record=record,
        )

    def addressed(self, revision: str) -> bool:
        if not self.mesh:
            return ("Service", revision) in self.children
        addresses = (revision, names.canary(revision))
        return all((kind, name) in self.children for kind in ("Service", "DestinationRule") for name in addresses)

    def route(self) -> Route | None:
        service = self.children.get(("VirtualService", "fraud"))
        if service is None:
            return None
        rule = service["spec"]["http"][0]
        mirror = rule.get("mirror")
        return Route(
            weights={names.revision_of_host(d["destination"]["host"]): d["weight"] for d in rule["route"]},
            mirror=names.revision_of_host(mirror["host"]) if mirror else None,
            mirror_percent=rule.get("mirrorPercentage", {}).get("value", 0),
        )

    def model_of(self, revision: str) -> str | None:
        deployment = self.children.get(("Deployment", revision))
        if deployment is None:
            return None
        environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        return next(entry["value"] for entry in environment if entry["name"] == "FERRYMAN_MODEL_URI")

    def delete_by_hand(self, kind: str, name: str) -> None:
        """Take a child away behind the operator's back."""
        del self.children[kind, name]
        if kind == "Deployment":
            self.deleted_by_hand.add(name)
            self.available.pop(name, None)
            self.desired.pop(name, None)

    # --- the operator -----------------------------------------------------------------------

    def plan(self) -> Plan:
        return planner.plan(self.resource(), self.observed(), self.resolved(), SETTINGS, self.now)

    def reconcile(self, die_after: int | None = None) -> Plan:
        """Plan once and write it all, or die after so many writes."""
        plan = self.plan()
        left = iter(range(die_after)) if die_after is not None else None
        if plan.status != self.status:
            self._write(left)
            self.status = plan.status
        for body in plan.objects:
            if self.children.get(self._key(body)) != body:
                self._write(left)
                self._apply(body)
        for body in plan.removals:
            self._write(left)
            self._remove(body)
        self.notices.extend(plan.notices)
        return plan

    def _write(self, left: Iterator[int] | None) -> None:
        if left is not None and next(left, None) is None:
            raise KilledError
        self.writes += 1

    @staticmethod
    def _key(body: dict[str, Any]) -> tuple[str, str]:
        return body["kind"], body["metadata"]["name"]

    def _apply(self, body: dict[str, Any]) -> None:
        self.children[self._key(body)] = body
        if body["kind"] == "Deployment":
            self.deleted_by_hand.discard(body["metadata"]["name"])
        if body["kind"] == "VirtualService":
            self._check_route()
        if body["kind"] == "HorizontalPodAutoscaler":
            name = body["metadata"]["name"]
            self.desired[name] = max(self.desired.get(name, 1), body["spec"]["minReplicas"])

    def _check_route(self) -> None:
        """What must hold of a route at the moment it is written."""
        route = self.route()
        assert route is not None
        assert sum(route.weights.values()) == 100, f"weights do not sum to 100: {route.weights}"
        stable = self.status.stable
        assert stable is not None
        for revision, weight in route.weights.items():
            assert weight > 0
            assert self.addressed(revision), f"{revision} is routed and has no address"
            deployed = ("Deployment", revision) in self.children or revision in self.deleted_by_hand
            assert deployed, f"{revision} is routed and has no Deployment"
            if revision != stable.revision:
                assert self.available.get(revision, 0) > 0, f"{revision} is routed and has no pod"
        if route.mirror is not None:
            assert route.mirror not in route.weights, "mirrored and weighted at once"
            assert ("Service", route.mirror) in self.children
        for kind, name in self.children:
            if kind == "Deployment":
                if route.names(name):
                    self.routed.add(name)
                    self.unrouted_since.pop(name, None)
                elif name in self.routed:
                    self.unrouted_since.setdefault(name, self.now)

    def _remove(self, body: dict[str, Any]) -> None:
        kind, name = self._key(body)
        route = self.route()
        assert route is None or not route.names(name), f"{kind} {name} was removed while the route names it"
        stable = self.status.stable
        assert stable is None or stable.revision != name, f"{kind} of the stable revision was removed"
        if kind == "Deployment":
            since = self.unrouted_since.get(name)
            assert since is None or self.now - since >= timedelta(seconds=SETTINGS.drain_seconds), "not drained"
            self.routed.discard(name)
            self.unrouted_since.pop(name, None)
            self.available.pop(name, None)
            self.desired.pop(name, None)
        del self.children[kind, name]

    # --- time and pods ----------------------------------------------------------------------

    def ready(self) -> None:
        """Let every pod that can become ready become so."""
        for kind, name in self.children:
            if kind == "Deployment":
                good = self.model_of(name) not in self.broken
                self.available[name] = self.desired.get(name, 1) if good else 0

    def lose(self, revision: str) -> None:
        """Take every pod of a revision away."""
        self.available[revision] = 0

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def settle(self, limit: int = 40) -> Cluster:
        """Reconcile, with time passing and pods becoming ready, until nothing is left to be written."""
        for _ in range(limit):
            before = (self.writes, dict(self.available))
            plan = self.reconcile()
            self.ready()
            quiet = before == (self.writes, self.available)
            if quiet and plan.wake_after is None:
                return self
            self.wait(plan.wake_after if quiet and plan.wake_after else 1)
        raise AssertionError(f"no end after {limit} looks: {self.status.phase} {self.status.reason}")

    # --- what tests ask ---------------------------------------------------------------------

    @property
    def stable(self) -> str:
        assert self.status.stable is not None
        return self.status.stable.model.uri

    @property
    def candidate(self) -> str | None:
        return self.status.candidate.model.uri if self.status.candidate else None

    def weights(self) -> dict[str, int]:
        """Return the live weights by model URI."""
        route = self.route()
        assert route is not None
        return {self.model_of(revision) or revision: weight for revision, weight in route.weights.items()}

    def revision(self, uri: str) -> str:
        """Return the revision that serves a model."""
        return next(name for kind, name in self.children if kind == "Deployment" and self.model_of(name) == uri)

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(condition for condition in self.status.conditions if condition.type == kind)
        return found.status, found.reason


def serving(**spec: Any) -> Cluster:
    """Return a cluster in which v1 serves."""
    cluster = Cluster()
    cluster.patch(**spec)
    return cluster.settle()
