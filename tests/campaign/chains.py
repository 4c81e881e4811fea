"""Operations in long chains, made from the CRD's own schema: what Acto does, with its four oracles.

Each property gets values that are usual, on its bounds, beyond them, of another type, and none at all. After every
operation the world has to come to rest. An operation that is refused has to leave everything as it is; one that is
taken has to show in the children (consistency); a spec that was taken back has to bring the children back
(differential rollback); and what a chain ends with has to be what the same spec gives in an empty namespace
(differential normal). Errors of the operator itself are for the oracles of every run.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from campaign import consistency, ending
from campaign.api import MERGE, Refused
from campaign.consistency import Standing
from campaign.stage import NAME, Stage, manifest
from ferryman.api import crd
from ferryman.api.scaling import LEAST, MOST
from ferryman.cluster import kinds
from ferryman.render import names

Body = dict[str, Any]
Sort = Literal["usual", "bound", "beyond", "wrong", "none"]

NEXT_OPERATION = timedelta(seconds=60)
"""No operation takes longer until the world rests again; what the clock does meanwhile is none of its doing."""
LENGTH = 21
"""Operations of a chain, the last of which settles it."""

SAMPLES: dict[str, tuple[Any, ...]] = {
    "model.uri": ("s3://models/v1", "s3://models/v2", "s3://models/v3", "s3://models/broken", "s3://models/slow"),
    "model.digest": ("sha256:" + "0" * 64,),
    "model.secretName": ("reader", "another-reader"),
    "server.resources.requests": ({"cpu": "250m"}, {"cpu": "0.5", "memory": "64Mi"}),
    "server.resources.limits": ({"memory": "1Gi"}, {"cpu": 1, "memory": "512Mi"}),
    "server.cache": ({"memory": "1Mi"}, {"memory": "64Mi", "ttlSeconds": 1}, {"memory": 0}),
    "routing.hosts": (["fraud.example.com"], ["a.example.com", "b.example.com"]),
    "routing.gateways": (["istio-system/ingress"], ["edge/public"]),
    "rollout.canary.steps": (
        [{"trafficPercent": 20}, {"trafficPercent": 60, "pause": {}}, {"trafficPercent": 100}],
        [{"trafficPercent": 50, "pause": {"duration": "1s"}}, {"trafficPercent": 100}],
    ),
    "rollout.canary.match": ([{"headers": [{"name": "x-beta", "exact": "yes"}]}],),
}
"""Usual values of properties whose type alone does not say any."""

FEW: dict[str, tuple[int, ...]] = {
    "scaling.replicas": (1, 3),
    "scaling.minReplicas": (1, 3),
    "scaling.maxReplicas": (3, 5),
    "rollout.canary.trafficPercent": (0, 5, 10, 34, 50, 99, 100),
}
"""Usual numbers, where any number within the bounds would be too many pods."""

WITHOUT = frozenset({"rollout.allowDowntime", "rollout.deadlineSeconds", "server.image", "server.container"})
"""Left out: the first allows what an oracle forbids, the second only waits, the last two never change alone."""

MADE_OF_HISTORY = re.compile(
    r"/status/(history|lastRollout|rejected|withdrawn|commands|run|candidate|stable/(served|since)|waiting|observedGeneration)"
    r"|/annotations/|/managedFields|clusterIP|ownerReferences/\w+/uid|/conditions/\w+/(observedGeneration|message)"
)
"""Paths that tell of how a spec came about, or of an object's identity."""


AUTOSCALED = re.compile(r"^Deployment/[^/]+/spec/replicas$|/status/stable/readyReplicas$")
"""Where numbers of pods stand that, within its bounds, are the autoscaler's affair: it has no metrics here, and
lowers none that was needed once."""


GOES_ON = frozenset({"Model", "Steadiness", "Route", "Pause", "Drain"})
"""What is waited for only for a while; pods that never start, persons and numbers are waited for in rest."""

CALM_SECONDS = 4.0


class Alarm(Exception):  # noqa: N818  as Acto calls it
    """An oracle's complaint."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of one property."""

    path: str
    sort: Sort
    value: Any

    @property
    def change(self) -> Body:
        """Return it as a merge patch of the spec."""
        change: Any = self.value
        for name in reversed(self.path.split(".")):
            change = {name: change}
        return {"spec": change}

    def __str__(self) -> str:
        """Return it as a complaint names it."""
        return f"{self.path} = {json.dumps(self.value)} ({self.sort})"


def operations() -> dict[Sort, list[Operation]]:
    """Return every operation that the schema gives, by its sort."""
    spec = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    found: dict[Sort, list[Operation]] = {"usual": [], "bound": [], "beyond": [], "wrong": [], "none": []}
    for path, schema in _properties(spec, ()):
        if path not in WITHOUT:
            for sort, value in _values(path, schema):
                found[sort].append(Operation(path, sort, value))
    return found


def chain(seed: int) -> Iterator[Operation]:
    """Return a chain's operations: the same for the same seed."""
    chance = random.Random(seed)
    made = operations()
    sorts: list[Sort] = ["usual", "bound", "beyond", "wrong", "none"]
    for _ in range(LENGTH - 1):
        (sort,) = chance.choices(sorts, weights=(50, 10, 15, 10, 15))
        yield chance.choice(made[sort])


async def live(stage: Stage, seed: int) -> None:
    """Live a chain, from an empty namespace to an empty namespace; raises Alarm."""
    await stage.apply("s3://models/v1")
    await stage.rests("Stable", "100/0")
    chance = random.Random(seed + 1)
    for number, operation in enumerate(chain(seed), 1):
        before, stood = _spec(stage), _children(stage)
        taken = await _do(stage, operation)
        await _rest(stage, f"after {number}, {operation}")
        if not taken and (_spec(stage), _children(stage)) != (before, stood):
            raise Alarm(f"{operation} was refused, and something changed: {_differences(_children(stage), stood)}")
        _consistent(stage, operation)
        if taken and chance.random() < 0.2:
            await _take_back(stage, operation, before, stood)
    await _same_as_fresh(stage, f"s3://models/final-{seed}")


async def _do(stage: Stage, operation: Operation) -> bool:
    """Do it as a user would; tell whether the apiserver took it. What is beyond the schema must never be taken."""
    path = kinds.MODEL_DEPLOYMENT.path(stage.namespace, NAME)
    query = {"fieldManager": "user", "fieldValidation": "Strict"}
    if operation.sort == "bound":
        query["dryRun"] = "All"  # a thousand pods are not for this machine
    try:
        await stage.api.call("PATCH", path, operation.change, query, MERGE)
    except Refused as error:
        if error.code not in {400, 422}:
            raise
        return False
    if operation.sort in {"beyond", "wrong"}:
        raise Alarm(f"the apiserver took {operation}")
    return operation.sort != "bound"


async def _take_back(stage: Stage, operation: Operation, before: Body, stood: ending.Flat) -> None:
    """Put the whole spec back, and see that the children are as they were: Acto's differential rollback."""
    if operation.path.startswith(("model.", "server.", "rollout.")):
        return  # a rollout that went on is not undone by taking its wish back: other journeys are about that
    path = kinds.MODEL_DEPLOYMENT.path(stage.namespace, NAME)
    body = await stage.api.call("GET", path)
    await stage.api.call("PUT", path, {**body, "spec": before}, {"fieldManager": "user"})
    await _rest(stage, f"after {operation} was taken back")
    if differences := _differences(_decided(stage, _children(stage)), _decided(stage, stood)):
        raise Alarm(f"{operation} was taken back, and left: {differences}")


async def _same_as_fresh(stage: Stage, uri: str) -> None:
    """Promote one more model, and compare with what the same spec gives in an empty namespace."""
    path = kinds.MODEL_DEPLOYMENT.path(stage.namespace, NAME)
    await stage.api.call("PATCH", path, {"spec": {"rollout": None, "model": {"uri": uri}}}, None, MERGE)
    await stage.until(lambda: stage.stands("Stable", "100/0", stable=uri), f"the last model is stable: {uri}")
    await _rest(stage, "at the end of the chain")
    spec, stood = _spec(stage), _whole(stage)
    await stage.delete()
    await stage.gone()
    body = manifest(stage.namespace, uri)
    await stage.api.create(kinds.MODEL_DEPLOYMENT, {**body, "spec": spec})
    await stage.until(lambda: stage.stands("Stable", "100/0", stable=uri), "the same spec, afresh")
    await _rest(stage, "afresh")
    if differences := _differences(stood, _whole(stage)):
        raise Alarm(f"a chain ended with another state than a fresh start: {differences}")


async def _rest(stage: Stage, when: str) -> None:
    """Wait until this generation was seen, nothing goes on by itself, and nothing is written any more."""

    def rests() -> bool:
        body, status = stage.read(), stage.status()
        seen = body is not None and status.get("observedGeneration") == body["metadata"]["generation"]
        waits = (status.get("waiting") or {}).get("cause")
        return seen and not status.get("retiring") and waits not in GOES_ON and not _cools_soon(stage)

    count = -1
    while not rests() or count != stage.changes():
        await stage.until(rests, f"rest {when}")
        count = stage.changes()
        await asyncio.sleep(CALM_SECONDS)


def _cools_soon(stage: Stage) -> bool:
    """Tell whether a revision that stands by is scaled to zero before the next operation is over."""
    body, now = stage.read() or {}, datetime.now(UTC)
    standby = timedelta(seconds=((body.get("spec") or {}).get("rollout") or {}).get("standbySeconds", 0))
    unrouted = [each.get("unroutedSince") for each in stage.status().get("history") or []]
    left = [datetime.fromisoformat(since) + standby - now for since in unrouted if since]
    return any(timedelta(0) < each < NEXT_OPERATION for each in left)


def _consistent(stage: Stage, operation: Operation) -> None:
    """See that what stands in the spec stands in the children: Acto's consistency."""
    if told := list(consistency.faults(_standing(stage))):
        raise Alarm(f"after {operation}: {'; '.join(told)}")


def _standing(stage: Stage) -> Standing:
    def of(kind: kinds.Kind) -> dict[str, Body]:
        mine = (each for each in stage.past.now(stage.namespace, kind) if stage.owns(each["metadata"]["name"]))
        return {each["metadata"]["name"]: each for each in mine}

    return Standing(
        spec=_spec(stage),
        status=stage.status(),
        deployments=of(kinds.DEPLOYMENT),
        autoscalers=of(kinds.AUTOSCALER),
        route=of(kinds.VIRTUAL_SERVICE).get(NAME, {"spec": {}})["spec"],
    )


def _whole(stage: Stage) -> ending.Flat:
    """Return what stands, but for what tells of how it came about."""
    stable = stage.revision("stable")
    kept = {NAME, stable, names.canary(stable)}
    whole = {
        path: value
        for path, value in ending.ending(stage.past, stage.namespace).items()
        if not MADE_OF_HISTORY.search(path) and path.split("/")[1] in kept
    }
    return _decided(stage, whole)


def _decided(stage: Stage, whole: ending.Flat) -> ending.Flat:
    """Leave out the numbers of pods that an autoscaler may have chosen: any within its bounds."""
    scaling = _spec(stage).get("scaling") or {}
    if "replicas" in scaling:
        return whole
    bounds = range(scaling.get("minReplicas", LEAST), scaling.get("maxReplicas", MOST) + 1)
    return {path: value for path, value in whole.items() if not (AUTOSCALED.search(path) and value in bounds)}


def _children(stage: Stage) -> ending.Flat:
    """Return the children, but for what tells of how they came about."""
    whole = ending.ending(stage.past, stage.namespace)
    return {
        path: value
        for path, value in whole.items()
        if not path.startswith("ModelDeployment/") and not MADE_OF_HISTORY.search(path)
    }


def _spec(stage: Stage) -> Body:
    spec: Body = (stage.read() or {}).get("spec") or {}
    return spec


def _differences(found: ending.Flat, wanted: ending.Flat) -> str:
    differing = ending.differences(found, wanted, ())
    return "; ".join(f"{path}: {now!r}, not {then!r}" for path, (now, then) in list(differing.items())[:4])


def _properties(schema: Body, path: tuple[str, ...]) -> Iterator[tuple[str, Body]]:
    whole = ".".join(path) in WITHOUT or ".".join(path) in SAMPLES
    if schema.get("type") == "object" and "properties" in schema and not whole:
        for name, inner in schema["properties"].items():
            yield from _properties(inner, (*path, name))
    else:
        yield ".".join(path), schema


def _values(path: str, schema: Body) -> Iterator[tuple[Sort, Any]]:
    """Return values for a property, each with its sort."""
    if path != "model.uri":
        yield "none", None
    usual = SAMPLES.get(path) or FEW.get(path) or tuple(schema.get("enum", ()))
    if schema["type"] == "boolean":
        usual = (True, False)
    low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 0))
    if schema["type"] == "integer":
        usual = usual or (low, min(high, low + 7), min(high, 60))
        yield from (("bound", low), ("bound", high), ("beyond", low - 1), ("beyond", high + 1), ("wrong", "ten"))
    if schema["type"] in {"string", "array"}:
        yield "wrong", 7
    if schema["type"] == "string":
        yield "beyond", "x" * 1025 if "enum" not in schema else "Nonsense"
    for value in usual:
        yield "usual", value
