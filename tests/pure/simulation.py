"""A small cluster in memory, driven by the real planner: what the pure tests do things to.

It plays the apiserver (objects, status, preconditions), the controllers (pods, autoscalers, a scheduler with so many
GPUs), the user (spec and annotations) and the clock. It never decides anything about a rollout. `contract.py` holds
every look and every write to the promises, so that an order of writes that would lose a request fails at that write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pure import contract
from pure.looks import GUARDED, Key, KilledError, Look, Write, key_of
from pure.nodes import START, Nodes

from ferryman import plan as planner
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.revision import ResolvedModel
from ferryman.api.status import ModelDeploymentStatus
from ferryman.observed import Observed, Route
from ferryman.outcome import Notice, Plan, Resource, Unresolved
from ferryman.render import names
from ferryman.settings import Settings

__all__ = ["SETTINGS", "START", "Cluster", "KilledError", "serving"]

SETTINGS = Settings(server_image="server:1", server_gpu_image="server:1-gpu", drain_seconds=10)


@lru_cache(maxsize=4096)
def _spec(text: str) -> ModelDeploymentSpec:
    return ModelDeploymentSpec.model_validate_json(text)


@lru_cache(maxsize=64)
def _memory(text: str) -> ModelDeploymentStatus:
    return ModelDeploymentStatus.model_validate_json(text)


@dataclass
class Cluster(Nodes):
    """One ModelDeployment called `fraud`, everything it owns, and a clock. `clone()` copies it."""

    spec: dict[str, Any] = field(default_factory=lambda: {"model": {"uri": "s3://models/v1"}})
    status: ModelDeploymentStatus = field(default_factory=ModelDeploymentStatus)
    unresolved: Unresolved | None = None
    breaking: set[str] = field(default_factory=set)
    """The models that need more of their callers than others."""
    now: datetime = START
    generation: int = 1
    version: int = 1
    writes: int = 0
    notices: list[Notice] = field(default_factory=list)
    verbs: dict[str, str] = field(default_factory=dict)
    late: list[Write] = field(default_factory=list)
    """Requests that are held up on their way."""
    deleted_by_hand: set[str] = field(default_factory=set)
    """The revisions of which a person deleted something that the operator has not made anew."""
    routed: set[str] = field(default_factory=set)
    unrouted_since: dict[str, datetime] = field(default_factory=dict)
    past: contract.Past = field(default_factory=contract.Past)

    def clone(self) -> Cluster:
        """Copy everything that may change; the values themselves never do."""
        copied = {each.name: getattr(self, each.name) for each in fields(self)}
        return Cluster(**{name: v.copy() if isinstance(v, dict | set | list) else v for name, v in copied.items()})

    # --- the user ---------------------------------------------------------------------------

    def patch(self, **sections: Any) -> None:
        """Change whole sections of the spec; None removes one."""
        merged = {**self.spec, **sections}
        self.spec = {name: value for name, value in merged.items() if value is not None}
        self.generation += 1
        self.version += 1
        self.past = contract.asked_of(self.past, self, sections)

    def model(self, uri: str) -> None:
        """Point the spec at another model."""
        self.patch(model={"uri": uri})

    def percent(self, percent: int) -> None:
        """Move the canary's share, as `kubectl patch` does."""
        self.patch(rollout={**self.spec.get("rollout", {}), "canary": {"trafficPercent": percent}})

    def annotate(self, verb: str, value: str | None) -> None:
        """Tell the operator something, as `kubectl annotate --overwrite` does; None takes the annotation away."""
        others = {other: said for other, said in self.verbs.items() if other != verb}
        self.verbs = others if value is None else {**others, verb: value}
        self.version += 1
        self.past = contract.told_of(self.past, verb, value)

    def wipe(self) -> None:
        """Take the status away as a whole."""
        self.status = ModelDeploymentStatus()
        self.version += 1
        self.past = contract.wiped(self.past, self)

    # --- the planner's view -----------------------------------------------------------------

    def resource(self) -> Resource:
        meta = ObjectMeta(
            name="fraud", namespace="ml", uid="u-1", generation=self.generation, resource_version=str(self.version)
        )
        return Resource(meta=meta, spec=_spec(json.dumps(self.spec)), status=self.status, verbs=dict(self.verbs))

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
            memory=self.memory(front) if front else None,
            children=tuple(self._live(key) for key in self.children),
        )

    def _live(self, key: Key) -> dict[str, Any]:
        """Return a child as the apiserver returns it; only of a Deployment is the version asked for."""
        child = self.children[key]
        if key[0] != "Deployment":
            return child
        return {**child, "metadata": {**child["metadata"], "resourceVersion": self.version_of(key)}}

    @staticmethod
    def memory(front: dict[str, Any]) -> ModelDeploymentStatus:
        return _memory(front["metadata"]["annotations"][names.ANNOTATION_MEMORY])

    def route(self) -> Route | None:
        service = self.children.get(("VirtualService", "fraud"))
        return contract.route_of(service) if service is not None else None

    def delete_by_hand(self, kind: str, name: str) -> None:
        """Take a child away behind the operator's back."""
        self._forget(kind, name)
        if kind in ("Deployment", "Service", "DestinationRule"):
            self.deleted_by_hand.add(name.removesuffix(names.CANARY_SUFFIX))
        contract.routed(self)

    # --- the operator -----------------------------------------------------------------------

    def look(self) -> Look:
        """Look at everything and decide; nothing is written."""
        resource, resolved, observed, plan = self.resource(), self.resolved(), self.observed(), self.plan()
        children, uids, versions = dict(self.children), dict(self.uids), dict(self.versions)
        look = Look(resource, resolved, observed, self.now, children, uids, versions, plan)
        self.past = contract.of_a_look(self.past, look)
        return look

    def plan(self) -> Plan:
        resource, observed, resolved, breaks = self.resource(), self.observed(), self.resolved(), self.breaks()
        challenger = self.challenger(resource)
        return planner.plan(resource, observed, resolved, SETTINGS, self.now, challenger=challenger, breaks=breaks)

    def challenger(self, resource: Resource) -> ResolvedModel | Unresolved | None:
        """Return what the challenger that the spec asks for is; the registry answers for both or for none."""
        spec = resource.spec.challenger()
        if spec is None:
            return None
        return self.unresolved or ResolvedModel(uri=spec.model.uri, requested=spec.model.uri)

    def breaks(self) -> tuple[str, ...] | None:
        """Return what the wished model breaks for those who call stable; None where no model says what it needs."""
        if not self.breaking:
            return None
        return ("it needs more",) if self.spec["model"]["uri"] in self.breaking else ()

    def reconcile(self, die_after: int | None = None) -> Plan:
        """Plan once and write it all, or die after so many writes."""
        look = self.look()
        self.carry_out(look, die_after)
        return look.plan

    def carry_out(self, look: Look, die_after: int | None = None, fate: str = "dies") -> None:
        """Make a look's writes, up to one that the apiserver refuses.

        The write after so many meets its fate: the operator `dies` before it, it is `lost` or `held up` so that the
        look ends with it, or it is `repeated` later.
        """
        for count, write in enumerate(self.writes_of(look)):
            if count == die_after:
                if fate in ("held up", "repeated"):
                    self.late.append(write)
                if fate == "dies":
                    raise KilledError
                if fate != "repeated":
                    return
            if not self.land(write):
                return
        self.past = contract.carried_out(self.past, look)
        self.notices.extend(look.plan.notices)

    def writes_of(self, look: Look) -> Iterator[Write]:
        """Return the requests that carry out a look, in order, guarded as `cluster/apply.py` guards them."""
        if look.plan.status != look.resource.status:
            yield Write("status", "ModelDeployment", "fraud", look.plan.status, look, version=look.version)
        for body in look.plan.objects:
            key, standing = key_of(body), look.children.get(key_of(body))
            if standing != body:
                seen = str(look.versions[key]) if standing is not None and body["kind"] in GUARDED else None
                yield Write("apply", *key, body, look, uid=look.uids.get(key), version=seen)
        for scale in look.plan.scales:
            key = ("Deployment", scale.deployment)
            if key in look.children and look.observed.backend(scale.deployment).desired != scale.replicas:
                yield Write("scale", *key, scale.replicas, look, version=scale.seen)
        for body in look.plan.removals:
            yield Write("delete", *key_of(body), None, look, uid=look.uids.get(key_of(body)))

    def land(self, write: Write) -> bool:
        """Let one request reach the apiserver; tell whether its precondition held."""
        key = (write.kind, write.name)
        there = key in self.children
        version = str(self.version) if write.verb == "status" else self.version_of(key)
        if write.version not in (None, version) or (write.uid is not None and self.uids.get(key) != write.uid):
            return write.verb == "delete" and not there
        if write.verb == "scale" and not there:
            return False
        before = replace(self, children=dict(self.children), desired=dict(self.desired))
        self.writes += 1
        if write.verb == "status":
            self.status = write.body
            self.version += 1
        elif write.verb == "apply":
            self._apply(key, write.body)
        elif write.verb == "scale":
            self.scale(write.name, write.body)
        else:
            self._forget(*key)
        self.past = contract.of_a_write(self.past, before, self, write)
        return True

    def _apply(self, key: Key, body: dict[str, Any]) -> None:
        kind, name = key
        if key not in self.children:
            self.uids[key] = self.writes
        self.children[key] = body
        self.versions[key] = self.writes
        if kind == "Deployment":
            self.scale(name, self.desired.get(name, 1))
        revision = name.removesuffix(names.CANARY_SUFFIX)
        if self.addressed(revision) and ("Deployment", revision) in self.children:
            self.deleted_by_hand.discard(revision)

    def _forget(self, kind: str, name: str) -> None:
        del self.children[kind, name]
        self.uids.pop((kind, name), None)
        if kind == "Deployment":
            for pods in (self.available, self.desired, self.placed):
                pods.pop(name, None)

    # --- time -------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass, or set the clock: forward, or, with less than 0, back."""
        self.now += timedelta(seconds=seconds)
        if seconds < 0:
            back = timedelta(seconds=-seconds)
            self.unrouted_since = {name: since - back for name, since in self.unrouted_since.items()}
            self.past = contract.set_back(self.past, back)

    def settle(self, limit: int = 60) -> Cluster:
        """Reconcile, with time passing and pods becoming ready, until nothing is left to be written."""
        idle = 0
        for _ in range(limit):
            before = (self.writes, dict(self.available), dict(self.desired))
            plan = self.reconcile()
            for name in tuple(self.desired):
                self.autoscale(name)
            self.ready()
            quiet = before == (self.writes, self.available, self.desired)
            if quiet and plan.wake_after is None:
                return self
            idle = idle + 1 if quiet else 0
            assert idle < 6, f"it looks again and again, and nothing comes of it: {self.status.waiting}"
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

    def running(self) -> set[str | None]:
        """Return the models of which pods are wanted."""
        deployed = [name for kind, name in self.children if kind == "Deployment"]
        return {self.model_of(name) for name in deployed if self.desired.get(name, 0) > 0}

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(condition for condition in self.status.conditions if condition.type == kind)
        return found.status, found.reason


def serving(**spec: Any) -> Cluster:
    """Return a cluster in which v1 serves."""
    cluster = Cluster()
    cluster.patch(**spec)
    return cluster.settle()
