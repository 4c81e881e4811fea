"""The one pure decision: everything that is known in, everything that is to be done out.

No clock, network, log or client stands below this module; time and settings arrive as arguments, and the next time to
look comes back as a result. Effects follow from the record in the returned status, which is written first: so a crash
between any two writes ends where a run without it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ferryman import children, facts, journal, notices, report, waits, writeback
from ferryman.api import conditions, reference
from ferryman.api.conditions import ConditionType, Reason, Verdict
from ferryman.api.modeldeployment import ModelDeploymentSpec
from ferryman.api.revision import ResolvedModel, Revision
from ferryman.api.run import Run
from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.observed import Observed
from ferryman.outcome import NOTHING_TOLD, Notice, Plan, Resource, Told, Unresolved
from ferryman.render import revision as revisions
from ferryman.rollout import challengers, machine, memory, record, retirement, stability, steps, traffic
from ferryman.rollout.decided import Decided
from ferryman.rollout.record import World
from ferryman.rollout.retirement import Delays
from ferryman.settings import Settings

SETTLE_SECONDS = 0.5
"""How soon to look again after a step or a write: the route's new text has reached Envoy by then."""


def plan(
    resource: Resource,
    observed: Observed,
    resolved: ResolvedModel | Unresolved,
    settings: Settings,
    now: datetime,
    *,
    challenger: ResolvedModel | Unresolved | None = None,
    told: Told = NOTHING_TOLD,
    breaks: tuple[str, ...] | None = None,
) -> Plan:
    """Decide what is to be done for one ModelDeployment; `challenger` is what `rollout.shadow.uri` means."""
    rollout, resolved = resource.spec.rollout, _remembered(resource, resolved, settings)
    delays = Delays(
        drain=timedelta(seconds=settings.drain_seconds),
        standby=timedelta(seconds=rollout.standby_seconds),
        history=rollout.history,
    )
    before = memory.restored(record.from_status(resource.status), observed)
    before = retirement.aged(before, observed, now, delays)
    world = World(
        record=before,
        wish=_wish(resource.meta.name, resource.spec, resolved, settings, now),
        challenger=_wish(resource.meta.name, resource.spec.challenger(), challenger, settings, now),
        rollout=rollout,
        scaling=resource.spec.scaling,
        observed=observed,
        now=now,
        breaks=breaks,
        verbs=resource.verbs,
    )
    after, signal = machine.advance(world)
    after = challengers.chosen(replace(world, record=after))
    after = retirement.aged(after, observed, now, delays)
    world = replace(world, record=after)
    split = traffic.split(world)
    decided = Decided(before, signal, world, split, delays)
    wait = waits.waiting(world, split, retirement.next_end(after, now, delays))
    decisions = journal.told(resource.status.decisions, decided, wait)
    entries = writeback.wanted(resource, after, world.wish)
    left = writeback.pending(resource, entries, told)
    claims = [
        *report.compatible(world),
        *report.challenger(world, challenger),
        *writeback.verdicts(resource, left, told, allowed=settings.write_back),
    ]
    status = _status(resource, decided, resolved, settings, claims).model_copy(
        update={
            "decisions": decisions,
            "waiting": waits.stamped(wait, resource.status.waiting, now),
            "written_back": [entry.said for entry in entries if entry not in left] if entries else None,
        }
    )
    objects = children.objects(resource, decided, status, settings)
    return Plan(
        status=status,
        objects=objects,
        scales=children.scales(decided),
        removals=children.removals(world, objects),
        notices=(
            *notices.told(before, after, signal),
            *notices.challenged(before, after),
            *notices.moved(resource.status.traffic, status.traffic),
            *_warnings(resource.status, status),
        ),
        entries=left if settings.write_back else (),
        wake_after=_wake_after(decided),
    )


def _remembered(
    resource: Resource, resolved: ResolvedModel | Unresolved, settings: Settings
) -> ResolvedModel | Unresolved:
    """Return what is known anyway of a version while the registry does not answer: it never means other bytes."""
    if not isinstance(resolved, Unresolved) or resolved.reason is not Reason.REGISTRY_UNAVAILABLE:
        return resolved
    uri = resource.spec.model.uri
    name = reference.registry_reference(uri)
    if name is None or name.alias is not None:
        return resolved
    named = resource.spec.model.registry.tracking_uri
    server = named if named != settings.tracking_uri else None
    running = [each.model for each in (resource.status.stable, resource.status.candidate) if each is not None]
    same = [model for model in running if model.requested == uri and model.registry == server]
    return same[0] if same else resolved


def _wish(
    name: str,
    spec: ModelDeploymentSpec | None,
    resolved: ResolvedModel | Unresolved | None,
    settings: Settings,
    now: datetime,
) -> Revision | None:
    """Return the revision that a spec asks for; None while nobody can say which bytes that is."""
    if spec is None or resolved is None or isinstance(resolved, Unresolved):
        return None
    return revisions.wished(name, spec, resolved, settings, now)


def _status(
    resource: Resource,
    decided: Decided,
    resolved: ResolvedModel | Unresolved,
    settings: Settings,
    beside: Sequence[Verdict],
) -> ModelDeploymentStatus:
    """Return the status: decisions from the record, facts from what was observed, and what is claimed `beside`."""
    world, meta = decided.world, resource.meta
    after = world.record
    *others, ready = report.verdicts(world, resolved, decided.split)
    claims = [*others, *beside, ready]
    return ModelDeploymentStatus(
        observed_generation=meta.generation,
        phase=after.phase,
        url=facts.url(meta, resource.spec, settings.cluster_domain),
        reason=ready.reason,
        stable=facts.counted(after.stable, world.observed),
        candidate=facts.counted(after.candidate, world.observed),
        run=_shown(after.run) if after.run is not None else None,
        challenger=facts.counted(after.challenger, world.observed),
        retiring=[facts.left(each, world.observed) for each in after.retiring],
        history=[facts.left(each, world.observed) for each in after.history],
        rejected=after.rejected,
        withdrawn=after.withdrawn,
        commands=list(after.commands),
        last_rollout=after.last,
        traffic=facts.seen_traffic(world),
        conditions=conditions.stamped(claims, resource.status.conditions, meta.generation, world.now),
    )


def _shown(run: Run) -> Run:
    """Return a run with its words for `kubectl get`."""
    return run.model_copy(update={"display": steps.display(run)})


def _warnings(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> list[Notice]:
    """Return a warning for each condition that has just turned away from True, or changed its reason while away."""
    known = {(claim.type, claim.status, claim.reason) for claim in before.conditions}
    quiet = {ConditionType.READY, ConditionType.ROUTED, ConditionType.AVAILABLE}
    return [
        Notice("Warning", claim.reason, claim.message)
        for claim in after.conditions
        if claim.status == "False" and claim.type not in quiet
        if (claim.type, claim.status, claim.reason) not in known and claim.reason != Reason.CHALLENGER_SERVES
    ]


def _wake_after(decided: Decided) -> float | None:
    """Return when to look again though nothing happens: after a step, at a deadline, at the end of a wait."""
    world = decided.world
    record, run = world.record, world.record.run
    ends = [retirement.next_end(record, world.now, decided.delays)]
    if record.candidate is not None:
        ends += [steps.ends_at(world), stability.calm_at(world)]
        if record.phase is Phase.STARTING and (run is None or run.held_since is None):
            ends.append(record.candidate.since + timedelta(seconds=world.rollout.deadline_seconds))
    still = [(end - world.now).total_seconds() for end in ends if end is not None and end > world.now]
    waits = [max(seconds, SETTLE_SECONDS) for seconds in still]
    routed = decided.split is None or not world.observed.mesh or facts.matches(world.observed, decided.split)
    if decided.signal is not None or not routed:
        waits.append(SETTLE_SECONDS)
    return min(waits, default=None)
