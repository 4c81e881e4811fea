"""The one pure decision: everything that is known in, everything that is to be done out.

No clock, network, log or client stands below this module; time and settings arrive as arguments, and the next time to
look comes back as a result. Effects follow from the record in the returned status, which is written first: so a crash
between any two writes ends where a run without it does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ferryman import notices, report
from ferryman.api import conditions
from ferryman.api.status import ModelDeploymentStatus, Phase, ResolvedModel, Revision
from ferryman.observed import Observed
from ferryman.outcome import Notice, Plan, Resource, Unresolved
from ferryman.render import deployment, destinationrule, hpa, names, service, virtualservice
from ferryman.render import revision as revisions
from ferryman.rollout import machine, record, retirement, traffic
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split
from ferryman.settings import Settings

SETTLE_SECONDS = 0.5
"""How soon to look again after a step or a write: the route's new text has reached Envoy by then."""


def plan(
    resource: Resource,
    observed: Observed,
    resolved: ResolvedModel | Unresolved,
    settings: Settings,
    now: datetime,
) -> Plan:
    """Decide what is to be done for one ModelDeployment."""
    drain = timedelta(seconds=settings.drain_seconds)
    before = record.restored(record.from_status(resource.status), observed, now)
    before = retirement.aged(before, observed, now)
    world = World(
        record=before,
        wish=_wish(resource, resolved, settings, now),
        rollout=resource.spec.rollout,
        scaling=resource.spec.scaling,
        observed=observed,
        now=now,
    )
    after, signal = machine.advance(world)
    after = retirement.aged(after, observed, now)
    world = replace(world, record=after)
    split = traffic.split(world)
    objects = _objects(resource, world, split, settings, drain)
    status = _status(resource, world, resolved, split, settings)
    return Plan(
        status=status,
        objects=objects,
        removals=_removals(world, objects),
        notices=(
            *notices.told(before, after, signal),
            *notices.moved(resource.status.traffic, status.traffic),
            *_warnings(resource.status, status),
        ),
        wake_after=_wake_after(world, split, drain, stepped=signal is not None),
    )


def _wish(
    resource: Resource, resolved: ResolvedModel | Unresolved, settings: Settings, now: datetime
) -> Revision | None:
    """Return the revision that the spec asks for; None while nobody can say which bytes that is."""
    if isinstance(resolved, Unresolved):
        return None
    return revisions.wished(resource.meta.name, resource.spec, resolved, settings, now)


def _objects(
    resource: Resource, world: World, split: Split | None, settings: Settings, drain: timedelta
) -> tuple[dict[str, Any], ...]:
    """Return the children that are to stand, in the order of writing.

    The route comes first when every address it names is already there: traffic leaves a revision before anything
    else happens to it. It comes last when it names an address that is still to be made.
    """
    owner, domain = resource.meta, settings.cluster_domain
    running = world.record.candidate is not None
    backends: list[dict[str, Any]] = []
    for revision in retirement.kept(world.record, world.now, drain):
        name = revision.revision
        stable = world.record.stable is not None and name == world.record.stable.revision
        backends.append(service.backend(owner, name))
        if world.observed.mesh:
            backends.append(service.canary(owner, name))
            backends.append(destinationrule.own(owner, name, domain))
            backends.append(destinationrule.canary(owner, name, domain))
        backends.append(deployment.deployment(owner, revision, settings))
        floor = traffic.floor(world, name)
        backends.append(hpa.autoscaler(owner, name, world.scaling, floor, may_shrink=not (stable and running)))
    if split is None:
        return tuple(backends)
    routes: list[dict[str, Any]] = []
    if world.observed.mesh:
        routes.append(virtualservice.virtual_service(owner, resource.spec.routing, split, domain))
    routes.append(service.front(owner, split.stable))
    addressed = all(
        world.observed.backend(name).addressed for name in (split.stable, split.candidate) if name is not None
    )
    return (*routes, *backends) if addressed else (*backends, *routes)


def _removals(world: World, objects: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """Return the owned children of revisions that have left, unless a route still names them."""
    standing = {(child["kind"], child["metadata"]["name"]) for child in objects}
    route = world.observed.route

    def leaves(child: dict[str, Any]) -> bool:
        revision = child["metadata"].get("labels", {}).get(names.LABEL_REVISION)
        routed = route is not None and revision is not None and route.names(revision)
        known = (child["kind"], child["metadata"]["name"]) in standing
        return revision is not None and not known and not routed and revision != world.observed.front

    order = ("HorizontalPodAutoscaler", "Deployment", "DestinationRule", "Service")
    leaving = [child for child in world.observed.children if child["kind"] in order and leaves(child)]
    return tuple(sorted(leaving, key=lambda child: order.index(child["kind"])))


def _status(
    resource: Resource,
    world: World,
    resolved: ResolvedModel | Unresolved,
    split: Split | None,
    settings: Settings,
) -> ModelDeploymentStatus:
    """Return the whole status: decisions from the record, facts from what was observed."""
    after, meta = world.record, resource.meta
    claims = report.verdicts(world, resolved, split, resource.spec)
    return ModelDeploymentStatus(
        observed_generation=meta.generation,
        phase=after.phase,
        url=report.url(meta, resource.spec, settings.cluster_domain),
        reason=claims[-1].reason,
        stable=report.counted(after.stable, world.observed),
        candidate=report.counted(after.candidate, world.observed),
        retiring=list(after.retiring),
        rejected=after.rejected,
        withdrawn=after.withdrawn,
        traffic=report.seen_traffic(world),
        conditions=conditions.stamped(claims, resource.status.conditions, meta.generation, world.now),
    )


def _warnings(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Notice]:
    """Return a warning for each condition that has just turned away from True, or changed its reason while away."""
    known = {(claim.type, claim.status, claim.reason) for claim in before.conditions}
    quiet = {conditions.ConditionType.READY, conditions.ConditionType.ROUTED, conditions.ConditionType.AVAILABLE}
    return [
        Notice("Warning", claim.reason, claim.message)
        for claim in after.conditions
        if claim.status == "False" and claim.type not in quiet
        if (claim.type, claim.status, claim.reason) not in known
    ]


def _wake_after(world: World, split: Split | None, drain: timedelta, *, stepped: bool) -> float | None:
    """Return when to look again though nothing happens: after a step, at a deadline, at the end of a drain."""
    waits: list[float] = []
    routed = split is None or not world.observed.mesh or report.matches(world.observed, split)
    if stepped or not routed:
        waits.append(SETTLE_SECONDS)
    candidate = world.record.candidate
    if world.record.phase is Phase.STARTING and candidate is not None:
        deadline = candidate.since + timedelta(seconds=world.rollout.deadline_seconds)
        waits.append(max((deadline - world.now).total_seconds(), SETTLE_SECONDS))
    next_drained = retirement.next_drained(world.record, world.now, drain)
    if next_drained is not None:
        waits.append(max(next_drained, SETTLE_SECONDS))
    return min(waits, default=None)
