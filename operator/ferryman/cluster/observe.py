"""One look at everything that a ModelDeployment owns, turned into plain values.

Only objects whose controller is this very ModelDeployment count as its children; one that merely carries the name
or the label is left alone. Pods are owned by ReplicaSets, so they are known by their labels.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pydantic

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import Revision
from ferryman.cluster import errors, kinds, obstacle
from ferryman.cluster.client import Client
from ferryman.cluster.mesh import Mesh
from ferryman.observed import Backend, Observed, Route
from ferryman.render import names

Body = dict[str, Any]


async def observe(client: Client, mesh: Mesh, owner: ObjectMeta) -> Observed:
    """Look at the children and pods of one ModelDeployment."""
    with_mesh = await mesh.served()
    looked_at = (*kinds.CHILDREN, *(kinds.MESH_CHILDREN if with_mesh else ()), kinds.POD)
    selector = f"{names.LABEL_DEPLOYMENT}={owner.name}"
    try:
        *found, pods = await asyncio.gather(*(client.list(kind, owner.namespace, selector) for kind in looked_at))
    except errors.NotFound:
        mesh.forget()
        raise
    children = tuple(child for listed in found for child in listed if owns(owner, child))
    return seen(owner, children, pods, mesh=with_mesh)


def owns(owner: ObjectMeta, child: Body) -> bool:
    """Tell whether the ModelDeployment is the child's controller."""
    references = child["metadata"].get("ownerReferences") or []
    return any(reference.get("controller") and reference["uid"] == owner.uid for reference in references)


def seen(owner: ObjectMeta, children: tuple[Body, ...], pods: list[Body], *, mesh: bool) -> Observed:
    """Turn the objects into what a planner sees."""
    by_kind: dict[str, dict[str, Body]] = {}
    for child in children:
        by_kind.setdefault(child["kind"], {})[child["metadata"]["name"]] = child
    services = by_kind.get(kinds.SERVICE.name, {})
    route = by_kind.get(kinds.VIRTUAL_SERVICE.name, {}).get(owner.name)
    front = services.get(owner.name)
    revisions = {
        revision: None for child in children if (revision := _labels(child).get(names.LABEL_REVISION)) is not None
    }
    return Observed(
        mesh=mesh,
        backends={revision: _backend(revision, by_kind, pods, mesh=mesh) for revision in revisions},
        route=_route(route) if route is not None else None,
        front=(front["spec"].get("selector") or {}).get(names.LABEL_REVISION) if front is not None else None,
        children=children,
    )


def _backend(revision: str, by_kind: dict[str, dict[str, Body]], pods: list[Body], *, mesh: bool) -> Backend:
    deployment = by_kind.get(kinds.DEPLOYMENT.name, {}).get(revision)
    services, rules = by_kind.get(kinds.SERVICE.name, {}), by_kind.get(kinds.DESTINATION_RULE.name, {})
    addresses = {revision, names.canary(revision)}
    addressed = addresses <= services.keys() & rules.keys() if mesh else revision in services
    if deployment is None:
        return Backend(revision=revision, addressed=addressed)
    own = [pod for pod in pods if _labels(pod).get(names.LABEL_REVISION) == revision]
    return Backend(
        revision=revision,
        desired=int(deployment["spec"].get("replicas", 1)),
        available=_available(deployment),
        deployed=True,
        addressed=addressed,
        obstacle=obstacle.of(deployment, own),
        record=_record(deployment),
    )


def _available(deployment: Body) -> int:
    """Return the available pods.

    The figure counts even while it speaks of an earlier text of the Deployment: that text changes only when the
    autoscaler moves `replicas`, and to take the pods for gone then would take their traffic away.
    """
    return int((deployment.get("status") or {}).get("availableReplicas", 0))


def _record(deployment: Body) -> Revision | None:
    """Read the revision's own record; None if somebody made it unreadable."""
    text = (deployment["metadata"].get("annotations") or {}).get(names.ANNOTATION_RECORD)
    if text is None:
        return None
    try:
        # The record says what never changes; when it took its role, only the status knows.
        fixed = pydantic.TypeAdapter(dict[str, Any]).validate_json(text)
        return Revision.model_validate({"since": deployment["metadata"]["creationTimestamp"], **fixed})
    except pydantic.ValidationError:
        return None


def _route(virtual_service: Body) -> Route:
    """Read the live split; a rule with one destination gives it everything."""
    rules = (virtual_service.get("spec") or {}).get("http") or [{}]
    rule = rules[0]
    destinations = rule.get("route") or []
    alone = 100 if len(destinations) == 1 else 0
    weights: dict[str, int] = {}
    for destination in destinations:
        revision = names.revision_of_host(destination["destination"]["host"])
        weights[revision] = weights.get(revision, 0) + int(destination.get("weight", alone))
    if rule.get("mirror") is None:
        return Route(weights=weights)
    return Route(
        weights=weights,
        mirror=names.revision_of_host(rule["mirror"]["host"]),
        mirror_percent=round((rule.get("mirrorPercentage") or {}).get("value", 100)),
    )


def _labels(body: Body) -> dict[str, str]:
    return body["metadata"].get("labels") or {}
