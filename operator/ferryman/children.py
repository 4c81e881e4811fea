"""Which objects a decision asks for, in which order they are written, and which are to go."""

from __future__ import annotations

from typing import Any

from ferryman.api.status import ModelDeploymentStatus
from ferryman.outcome import Resource, Scale
from ferryman.render import deployment, destinationrule, hpa, names, service, virtualservice
from ferryman.rollout import capacity, memory, retirement
from ferryman.rollout.decided import Decided
from ferryman.rollout.record import World
from ferryman.settings import Settings

Body = dict[str, Any]

AUTOSCALER = "HorizontalPodAutoscaler"
REMOVED = (AUTOSCALER, "Deployment", "DestinationRule", "Service")
"""The kinds of a revision's children, in the order in which they go."""


def objects(
    resource: Resource, decided: Decided, status: ModelDeploymentStatus, settings: Settings
) -> tuple[Body, ...]:
    """Return the children that are to stand, in the order of writing.

    The route comes first when every address it names is already there: traffic leaves a revision before anything
    else happens to it. It comes last when it names an address that is still to be made.
    """
    world, split = decided.world, decided.split
    backends = _backends(resource, decided, settings)
    if split is None:
        return backends
    owner, routes, remembered = resource.meta, list[Body](), memory.written(status)
    if world.observed.mesh:
        canary = resource.spec.rollout.canary
        matches = canary.match if canary is not None else []
        domain, routing = settings.cluster_domain, resource.spec.routing
        routes.append(
            virtualservice.virtual_service(owner, routing, matches, split, domain=domain, memory=remembered)
        )
    routes.append(service.front(owner, split.stable, remembered))
    addressed = all(
        world.observed.backend(name).addressed for name in (split.stable, split.candidate) if name is not None
    )
    return (*routes, *backends) if addressed else (*backends, *routes)


def _backends(resource: Resource, decided: Decided, settings: Settings) -> tuple[Body, ...]:
    """Return the children of every revision that is to stay; one that is kept without pods has a Deployment only."""
    owner, domain, world = resource.meta, settings.cluster_domain, decided.world
    record = world.record
    cold = retirement.cold(record, world.now, decided.delays)
    backends: list[Body] = []
    for revision in retirement.kept(record, world.now, decided.delays):
        name = revision.revision
        if name not in cold:
            backends.append(service.backend(owner, name))
            if world.observed.mesh:
                backends.append(service.canary(owner, name))
                backends.append(destinationrule.own(owner, name, domain))
                backends.append(destinationrule.canary(owner, name, domain))
        bounds = capacity.size(world, name, _planned(decided))
        if bounds.floor == 0 and not world.observed.backend(name).deployed:
            continue  # a Deployment begins with a pod, and this one may not have any: it is held, or leaves
        backends.append(deployment.deployment(owner, revision, settings))
        if name not in cold and not world.scaling.fixed:
            stable = record.stable is not None and name == record.stable.revision
            may_shrink = not (stable and record.run is not None)
            backends.append(hpa.autoscaler(owner, name, world.scaling, bounds, may_shrink=may_shrink))
    return tuple(backends)


def _planned(decided: Decided) -> int:
    return decided.split.candidate_weight if decided.split is not None else 0


def scales(decided: Decided) -> tuple[Scale, ...]:
    """Return the Deployments that are to have another number of pods: more at once, fewer only as it was seen."""
    world = decided.world
    cold = retirement.cold(world.record, world.now, decided.delays)
    wanted: list[Scale] = []
    for revision in retirement.kept(world.record, world.now, decided.delays):
        name = revision.revision
        has = world.observed.backend(name).desired
        replicas = 0 if name in cold else capacity.to_set(world, name, _planned(decided))
        if replicas is not None and replicas != has and world.observed.backend(name).deployed:
            wanted.append(Scale(name, replicas, seen=_version(world, name) if replicas < has else None))
    return tuple(wanted)


def _version(world: World, deployment_name: str) -> str | None:
    for child in world.observed.children:
        if child["kind"] == "Deployment" and child["metadata"]["name"] == deployment_name:
            version: str | None = child["metadata"].get("resourceVersion")
            return version
    return None


def removals(world: World, standing: tuple[Body, ...]) -> tuple[Body, ...]:
    """Return the owned children that no revision needs any more, unless a route still names their revision."""
    stays = {(child["kind"], child["metadata"]["name"]) for child in standing}
    route = world.observed.route

    def leaves(child: Body) -> bool:
        kind, name = child["kind"], child["metadata"]["name"]
        revision = child["metadata"].get("labels", {}).get(names.LABEL_REVISION)
        if kind not in REMOVED or revision is None or (kind, name) in stays:
            return False
        routed = revision == world.observed.front or (route is not None and route.names(revision))
        return kind == AUTOSCALER or not routed  # nothing is reached through an autoscaler; fixed pods have none

    return tuple(sorted((child for child in world.observed.children if leaves(child)), key=_order))


def _order(child: Body) -> int:
    return REMOVED.index(child["kind"])
