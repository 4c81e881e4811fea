"""The small world: what can happen in it, and in which parts it is explored, each to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pure import canonical
from pure.simulation import Cluster

MODELS = ("s3://models/v1", "s3://models/v2", "s3://models/v3")
ONE = {"minReplicas": 1, "maxReplicas": 1}
TWO = {"minReplicas": 2, "maxReplicas": 2}


Happening = tuple[str, Cluster]
Event = Callable[[Cluster], Iterator[Happening]]


def _after(cluster: Cluster, call: str, does: Callable[[Cluster], Any]) -> Happening:
    twin = canonical.double(cluster)
    does(twin)
    return call, twin


def named(*models: str) -> Event:
    """The user names another model."""

    def event(cluster: Cluster) -> Iterator[Happening]:
        for uri in models:
            if uri != cluster.spec["model"]["uri"]:
                yield _after(cluster, f"cluster.model({uri!r})", lambda c, uri=uri: c.model(uri))

    return event


def rollout(**choices: list[Any]) -> Event:
    """The user changes one section of the rollout policy; None takes it away."""

    def event(cluster: Cluster) -> Iterator[Happening]:
        policy = cluster.spec.get("rollout", {})
        for section, values in choices.items():
            for value in values:
                if policy.get(section) != value:
                    changed = {name: one for name, one in {**policy, section: value}.items() if one is not None}
                    call = f"cluster.patch(rollout={changed!r})"
                    yield _after(cluster, call, lambda c, changed=changed: c.patch(rollout=changed))

    return event


def shares(*percents: int) -> Event:
    """The user moves the candidate's share."""
    return rollout(canary=[{"trafficPercent": percent} for percent in percents])


def told(*verbs: str) -> Event:
    """The user tells a verb that the state allows; one that is still unheard at a time."""

    def event(cluster: Cluster) -> Iterator[Happening]:
        status = cluster.status
        heard = {command.verb: command.value for command in status.commands}
        if any(heard.get(verb) != value for verb, value in cluster.verbs.items()):
            return
        for verb in verbs:
            for target in _targets(cluster, verb):
                value = f"{target} again" if heard.get(verb) == target else target
                call = f"cluster.annotate({verb!r}, {value!r})"
                yield _after(cluster, call, lambda c, verb=verb, value=value: c.annotate(verb, value))

    return event


def _targets(cluster: Cluster, verb: str) -> list[str]:
    status = cluster.status
    if verb == "rollback":
        return ["previous"] if status.history else []
    if verb == "retry":
        rejected = status.rejected.revision if status.rejected is not None else None
        return [name for name in (rejected, status.withdrawn) if name is not None]
    return [status.candidate.revision] if status.candidate is not None else []


def pods(cluster: Cluster) -> Iterator[Happening]:
    """Any number of a revision's pods is ready; those of a broken model never are."""
    for name, desired in sorted(cluster.desired.items()):
        for ready in range(desired + 1 if cluster.model_of(name) not in cluster.broken else 1):
            if ready != cluster.available.get(name, 0):
                call = f"cluster.ready({name!r}, {ready})"
                yield _after(cluster, call, lambda c, name=name, ready=ready: c.ready(name, ready))


def broken(*models: str) -> Event:
    """A model cannot be loaded any more, or can again."""

    def event(cluster: Cluster) -> Iterator[Happening]:
        for uri in models:
            call = f"cluster.broken ^= {{{uri!r}}}"
            yield _after(cluster, call, lambda c, uri=uri: c.broken.symmetric_difference_update({uri}))

    return event


def scaled(cluster: Cluster) -> Iterator[Happening]:
    """An autoscaler moves a revision's pods within its bounds."""
    for (kind, name), body in sorted(cluster.children.items()):
        if kind == "HorizontalPodAutoscaler":
            for load in range(1, body["spec"]["maxReplicas"] + 1):
                call = f"cluster.autoscale({name!r}, {load})"
                yield _after(cluster, call, lambda c, name=name, load=load: c.autoscale(name, load))


@dataclass(frozen=True)
class World:
    """One part of the small world."""

    name: str
    about: str
    """What can happen in it, for people."""
    scaling: dict[str, Any]
    rollout: dict[str, Any]
    events: tuple[Event, ...]
    crashes: bool = False
    """The operator may die after any write of a look."""
    mesh: bool = True
    model: str = MODELS[0]
    """What is asked for at first. What can happen to it can happen to every other one: a state has no names."""

    def begin(self) -> Cluster:
        """Return the cluster in which nothing was done yet."""
        rollout = {"deadlineSeconds": 60, "history": 0, **self.rollout}
        spec = {"model": {"uri": self.model}, "scaling": self.scaling, "rollout": rollout}
        return Cluster(spec=spec, mesh=self.mesh)


V1, V2, V3 = MODELS
REGISTERED = ("models:/fraud/5", "models:/fraud/6")
TEN = {"canary": {"trafficPercent": 10}}
PLAN = [
    {"shadowPercent": 100, "pause": {"duration": "10m"}},
    {"trafficPercent": 50, "pause": {}},
    {"trafficPercent": 100},
]

WORLDS = (
    World(
        "numbers",
        "2 models; shares 0, 10, 50, 100; 0 to 2 pods of each revision",
        TWO,
        TEN,
        (named(V1, V2), shares(0, 10, 50, 100), pods),
    ),
    World(
        "third",
        "3 models; shares 0, 10, 100; 0 or 1 pod of each revision",
        ONE,
        TEN,
        (named(V1, V2, V3), shares(0, 10, 100), pods),
    ),
    World(
        "crashes",
        "2 models; shares 10, 100; 0 or 1 pod of each revision; the operator dies after any write",
        ONE,
        TEN,
        (named(V1, V2), shares(10, 100), pods),
        crashes=True,
    ),
    World(
        "crashes, back",
        "the same with shares 0, 10",
        ONE,
        TEN,
        (named(V1, V2), shares(0, 10), pods),
        crashes=True,
    ),
    World(
        "going back",
        "2 models, history 1; share 10; 0 or 1 pod; promote, abort, retry, rollback",
        ONE,
        {**TEN, "history": 1},
        (named(V1, V2), told("promote", "abort", "retry", "rollback"), pods),
    ),
    World(
        "pauses",
        "2 models; share 10; 0 or 1 pod; promote, pause, resume",
        ONE,
        TEN,
        (named(V1, V2), told("promote", "pause", "resume"), pods),
    ),
    World(
        "steps",
        "2 models; three steps (a mirror for 10 min, 50 % until a person says, 100 %); 0 or 1 pod; "
        "abort, pause, resume",
        ONE,
        {"canary": {"steps": PLAN}},
        (named(V1, V2), told("abort", "pause", "resume"), pods),
    ),
    World(
        "plan or number",
        "2 models; the same three steps, or 10 % in their place; 0 or 1 pod",
        ONE,
        {"canary": {"steps": PLAN}},
        (named(V1, V2), rollout(canary=[{"steps": PLAN}, {"trafficPercent": 10}]), pods),
    ),
    World(
        "shadow",
        "2 models; shares 0, 10, 100; a mirror of 100 %, or none; 0 or 1 pod",
        ONE,
        TEN,
        (named(V1, V2), shares(0, 10, 100), rollout(shadow=[{"percent": 100}, None]), pods),
    ),
    World(
        "challenger",
        "2 models, either of which may be the challenger, or none; shares 10, 100; 0 or 1 pod",
        ONE,
        TEN,
        (named(*REGISTERED), shares(10, 100), rollout(shadow=[*({"uri": uri} for uri in REGISTERED), None]), pods),
        model=REGISTERED[0],
    ),
    World(
        "no room",
        "surge: NoSurge; 2 models; shares 0, 50, 100; 0 to 2 pods of each revision",
        TWO,
        {**TEN, "surge": "NoSurge"},
        (named(V1, V2), shares(0, 50, 100), pods),
    ),
    World(
        "downtime",
        "surge: NoSurge with one pod; 2 models, of which one may not load; shares 10, 100; allowDowntime on and off",
        ONE,
        {**TEN, "surge": "NoSurge"},
        (named(V1, V2), shares(10, 100), rollout(allowDowntime=[True, None]), broken(V2), pods),
    ),
    World(
        "no mesh",
        "a cluster without Istio; 2 models; shares 10, 100; 0 or 1 pod; the operator dies after any write",
        ONE,
        TEN,
        (named(V1, V2), shares(10, 100), pods),
        crashes=True,
        mesh=False,
    ),
    World(
        "autoscaler",
        "2 models; shares 50, 100; an autoscaler between 1 and 2; 0 to 2 pods",
        {"minReplicas": 1, "maxReplicas": 2},
        TEN,
        (named(V1, V2), shares(50, 100), pods, scaled),
    ),
)
