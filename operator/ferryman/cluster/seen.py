"""Objects as the apiserver returned them, turned into what a planner sees. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import kinds, obstacle
from ferryman.observed import Backend, Observed, Route
from ferryman.render import names

Body = dict[str, Any]


def of(
    owner: ObjectMeta,
    children: tuple[Body, ...],
    pods: Sequence[Body],
    events: Sequence[Body] = (),
    replica_sets: Sequence[Body] = (),
    *,
    mesh: bool,
) -> Observed:
    """Turn the objects of one look into plain values."""
    by_kind: dict[str, dict[str, Body]] = {}
    for child in children:
        by_kind.setdefault(child["kind"], {})[child["metadata"]["name"]] = child
    route = by_kind.get(kinds.VIRTUAL_SERVICE.name, {}).get(owner.name)
    front = by_kind.get(kinds.SERVICE.name, {}).get(owner.name)
    revisions = {revision: None for child in children if (revision := revision_of(child)) is not None}
    return Observed(
        mesh=mesh,
        backends={
            revision: _backend(
                revision,
                by_kind,
                belonging(pods, revision),
                obstacle.Further(events, belonging(replica_sets, revision)),
                mesh=mesh,
            )
            for revision in revisions
        },
        route=_route(route) if route is not None else None,
        front=(front["spec"].get("selector") or {}).get(names.LABEL_REVISION) if front is not None else None,
        memory=_memory(owner, front) if front is not None else None,
        children=children,
    )


def revision_of(body: Body) -> str | None:
    """Return the revision that an object's labels name."""
    return (body["metadata"].get("labels") or {}).get(names.LABEL_REVISION)


def belonging(bodies: Sequence[Body], revision: str) -> list[Body]:
    """Return those of the objects that carry the revision's label."""
    return [body for body in bodies if revision_of(body) == revision]


def _backend(
    revision: str, by_kind: dict[str, dict[str, Body]], pods: list[Body], further: obstacle.Further, *, mesh: bool
) -> Backend:
    deployment = by_kind.get(kinds.DEPLOYMENT.name, {}).get(revision)
    services, rules = by_kind.get(kinds.SERVICE.name, {}), by_kind.get(kinds.DESTINATION_RULE.name, {})
    addresses = {revision, names.canary(revision)}
    addressed = addresses <= services.keys() & rules.keys() if mesh else revision in services
    if deployment is None:
        return Backend(revision=revision, addressed=addressed)
    return Backend(
        revision=revision,
        desired=int(deployment["spec"].get("replicas", 1)),
        available=_available(deployment),
        deployed=True,
        addressed=addressed,
        obstacle=obstacle.of(deployment, pods, further),
        record=_record(deployment),
    )


def _available(deployment: Body) -> int:
    """Return the available pods.

    The figure counts even while it speaks of an earlier text of the Deployment: that text changes only when the
    number of pods is set, and to take the pods for gone then would take their traffic away.
    """
    return int((deployment.get("status") or {}).get("availableReplicas", 0))


def _record(deployment: Body) -> Revision | None:
    """Read the revision's own record; None if somebody made it unreadable."""
    text = _annotation(deployment, names.ANNOTATION_RECORD)
    if text is None:
        return None
    try:
        # The record says what never changes; when it took its role, only the status knows.
        fixed = pydantic.TypeAdapter(dict[str, Any]).validate_json(text)
        record = Revision.model_validate({"since": deployment["metadata"]["creationTimestamp"], **fixed})
    except pydantic.ValidationError:
        return None
    return record if record.revision == deployment["metadata"]["name"] else None


def _memory(owner: ObjectMeta, front: Body) -> ModelDeploymentStatus | None:
    """Read the decisions that the front Service remembers; None if somebody made them unreadable, or another's."""
    text = _annotation(front, names.ANNOTATION_MEMORY)
    try:
        memory = ModelDeploymentStatus.model_validate_json(text) if text is not None else None
    except pydantic.ValidationError:
        return None
    return memory if memory is not None and memory.is_about(owner.name) else None


def _annotation(body: Body, name: str) -> str | None:
    return (body["metadata"].get("annotations") or {}).get(name)


def _route(virtual_service: Body) -> Route:
    """Read the live split: rules for chosen requests, and then the ones for all others, the last of which is theirs.

    A revision that any rule names is named by the route, though none of everyone's requests may go to it.
    """
    rules = (virtual_service.get("spec") or {}).get("http") or []
    chosen = [rule for rule in rules if rule.get("match") and not _of_calls(rule)]
    everyone: Body = next((rule for rule in rules if not rule.get("match")), {})
    matched = next((revision for rule in chosen for revision in _weights(rule)), None)
    calls = {revision: 0 for rule in rules if _of_calls(rule) for revision in _named(rule)}
    weights = calls | _weights(everyone)
    return Route(weights=weights, mirrors=_mirrors(everyone), matched=matched)


def _of_calls(rule: Body) -> bool:
    """Tell whether a rule is everyone's, for gRPC calls: it asks for nothing but their content."""
    asked = [set(match) | set(match.get("headers") or {}) for match in rule.get("match") or []]
    return bool(asked) and all(words == {"headers", names.CONTENT_TYPE} for words in asked)


def _named(rule: Body) -> set[str]:
    return {*_weights(rule), *_mirrors(rule)}


def _mirrors(rule: Body) -> dict[str, int]:
    """Return the mirrored shares by revision; what says no share gets everything.

    A rule may name one mirror alone in fields of its own, as Istio's users and earlier releases of Ferryman do.
    """
    said = [(each.get("destination") or {}, each.get("percentage")) for each in rule.get("mirrors") or []]
    if rule.get("mirror"):
        said.append((rule["mirror"], rule.get("mirrorPercentage")))
    return {
        names.revision_of_host(destination["host"]): round((share or {}).get("value", 100))
        for destination, share in said
        if "host" in destination
    }


def _weights(rule: Body) -> dict[str, int]:
    """Return the shares by revision; a lone destination has everything."""
    destinations = rule.get("route") or []
    alone = 100 if len(destinations) == 1 else 0
    weights: dict[str, int] = {}
    for destination in destinations:
        revision = names.revision_of_host(destination["destination"]["host"])
        weights[revision] = weights.get(revision, 0) + int(destination.get("weight", alone))
    return weights
