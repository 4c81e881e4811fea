"""Operations in long chains, made from the CRD's own schema: what Acto does, with its four oracles.

After every operation (operations.py) the world has to come to rest. An operation that is refused has to leave
everything as it is; one that is taken has to show in the children (consistency.py); a spec that was taken back has to
bring the children back (differential rollback); and what a chain ends with has to be what the same spec gives in an
empty namespace (differential normal). Errors of the operator itself are for the oracles of every run.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from campaign import consistency, ending, operations
from campaign.api import MERGE, Refused
from campaign.operations import Operation, Sort
from campaign.stage import NAME, Stage, manifest
from campaign.standing import Standing
from ferryman.api.scaling import LEAST, MOST
from ferryman.cluster import kinds
from ferryman.render import names

Body = dict[str, Any]

NEXT_OPERATION = timedelta(seconds=60)
"""No operation takes longer until the world rests again; what the clock does meanwhile is none of its doing."""
LENGTH = 21
"""Operations of a chain, the last of which settles it."""

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


def chain(seed: int) -> Iterator[Operation]:
    """Return a chain's operations: the same for the same seed."""
    chance = random.Random(seed)
    made = operations.by_sort()
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

    deployments, routes = of(kinds.DEPLOYMENT), of(kinds.VIRTUAL_SERVICE)
    if NAME not in routes or stage.revision("stable") not in deployments:
        raise Alarm(f"there is no route, or no stable Deployment: {sorted(routes)}, {sorted(deployments)}")
    return Standing(
        spec=_spec(stage),
        status=stage.status(),
        deployments=deployments,
        autoscalers=of(kinds.AUTOSCALER),
        route=routes[NAME]["spec"],
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
