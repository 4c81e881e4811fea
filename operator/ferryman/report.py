"""What is true now, in the words of status: verdicts for conditions, notices for people.

Facts come from what was observed; only what was decided comes from the record. `Ready` is computed from the other
verdicts, so it cannot say more than they do.
"""

from __future__ import annotations

from ferryman import facts, waits
from ferryman.api import reference
from ferryman.api.conditions import ConditionType, Reason, Status, Verdict
from ferryman.api.revision import ResolvedModel
from ferryman.api.run import RunKind
from ferryman.api.status import Phase
from ferryman.outcome import Unresolved
from ferryman.rollout import capacity, intent, room, steps
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split


def verdicts(world: World, resolved: ResolvedModel | Unresolved, split: Split | None) -> list[Verdict]:
    """Return every claim about the object, `Ready` last."""
    claims = [
        _verdict(ConditionType.ACCEPTED, "True", Reason.ACCEPTED, "the spec is understood"),
        _resolved(resolved),
        _available(world),
        _routed(world, split),
        _candidate_healthy(world),
        *_schedulable(world),
    ]
    return [*claims, _ready(world, split, claims)]


def _verdict(kind: ConditionType, status: Status, reason: Reason, message: str) -> Verdict:
    return Verdict(type=kind, status=status, reason=reason, message=message)


def _resolved(resolved: ResolvedModel | Unresolved) -> Verdict:
    kind = ConditionType.MODEL_RESOLVED
    if isinstance(resolved, Unresolved):
        unknown = resolved.reason is Reason.REGISTRY_UNAVAILABLE
        return _verdict(kind, "Unknown" if unknown else "False", resolved.reason, resolved.message)
    same = resolved.requested == resolved.uri
    message = resolved.uri if same else f"{resolved.requested} is {resolved.uri}"
    return _verdict(kind, "True", Reason.RESOLVED, message)


def _available(world: World) -> Verdict:
    kind, stable = ConditionType.AVAILABLE, world.record.stable
    if stable is None:
        return _verdict(kind, "False", Reason.NO_STABLE, "no revision has become ready yet")
    backend = world.backend(stable)
    if backend.available == 0 or not backend.addressed:
        if capacity.stopped(world):
            message = (
                f"{stable.revision} was stopped to make room for the candidate, as spec.rollout.allowDowntime allows"
            )
            return _verdict(kind, "False", Reason.STOPPED_FOR_CANDIDATE, message)
        why = f": {backend.obstacle.message}" if backend.obstacle else ""
        return _verdict(kind, "False", Reason.STABLE_SHORT, f"{stable.revision} has no ready pod{why}")
    return _verdict(kind, "True", Reason.STABLE_SERVES, f"{stable.revision} serves")


def _routed(world: World, split: Split | None) -> Verdict:
    kind = ConditionType.ROUTED
    if split is None:
        return _verdict(kind, "False", Reason.NO_STABLE, "there is no revision to route to yet")
    if not world.observed.mesh:
        wants_split = world.record.candidate is not None and intent.wanted(world).traffic < 100
        return _verdict(
            kind,
            "False" if wants_split else "True",
            Reason.MESH_MISSING,
            "the cluster has no Istio: the Service serves the stable revision, and traffic can be neither split nor "
            "mirrored; install Istio, or set spec.rollout.canary.trafficPercent to 100 to promote",
        )
    if facts.matches(world.observed, split):
        return _verdict(kind, "True", Reason.ROUTE_PROGRAMMED, "the route is as the rollout asks")
    return _verdict(kind, "False", Reason.ROUTE_PENDING, "the route is being written")


def _candidate_healthy(world: World) -> Verdict:
    kind, record, wish = ConditionType.CANDIDATE_HEALTHY, world.record, world.wish
    candidate = record.candidate
    if candidate is None:
        if record.rejected is not None:
            rejected = record.rejected
            message = f"{rejected.revision} was rolled back: {rejected.message}"
            return _verdict(kind, "False", Reason(rejected.reason), message)
        if wish is not None and record.withdrawn == wish.revision:
            message = f"{wish.revision} was taken back to 0 %; raise the number or name another model"
            return _verdict(kind, "False", Reason.CANDIDATE_WITHDRAWN, message)
        return _verdict(kind, "True", Reason.NO_CANDIDATE, "there is nothing to roll out")
    hindrance = capacity.held(world)
    if hindrance is not None:
        return _verdict(kind, "False", hindrance, f"{candidate.revision} is held: {waits.HELD[hindrance].message}")
    backend = world.backend(candidate)
    needed = capacity.needed(world, intent.wanted(world)) if record.stable is not None else 1
    if backend.addressed and backend.available >= needed:
        return _verdict(kind, "True", Reason.CANDIDATE_READY, f"{candidate.revision} has the pods it needs")
    if backend.obstacle is not None:
        message = f"{candidate.revision}: {backend.obstacle.message}"
        return _verdict(kind, "False", backend.obstacle.reason, message)
    have = f"{candidate.revision} has {backend.available} of the {needed} pods it needs"
    if backend.available > 0:
        return _verdict(kind, "Unknown", Reason.CANDIDATE_SHORT, have)
    return _verdict(kind, "Unknown", Reason.CANDIDATE_STARTING, have)


def _schedulable(world: World) -> list[Verdict]:
    """Warn before the scheduler does, while a candidate starts, of too little room for the pods of a promotion."""
    record, nodes = world.record, world.observed.nodes
    candidate = record.candidate
    if candidate is None or nodes is None or record.phase not in (Phase.STARTING, Phase.PENDING):
        return []
    kind, shape = ConditionType.SCHEDULABLE, room.shape(candidate)
    if record.stable is not None and intent.no_surge(world):
        given_up = room.shape(record.stable)
        pods = 0 if all(amount <= given_up.get(name, 0) for name, amount in shape.items()) else 1
    else:
        pods = max(capacity.needed(world, intent.EVERYTHING) - world.backend(candidate).desired, 0)
        obstacle = world.backend(candidate).obstacle
        if obstacle is not None and obstacle.reason is Reason.UNSCHEDULABLE:
            pods = max(pods, 1)
    short = room.shortage(nodes, shape, pods) if pods else None
    if short is not None:
        return [_verdict(kind, "False", Reason.NO_ROOM, f"{candidate.revision}: {short}")]
    return [_verdict(kind, "True", Reason.ROOM_FOUND, "the nodes have room for the candidate's pods")]


def compatible(world: World) -> list[Verdict]:
    """Return whether the candidate would break those who call stable; nothing where no registry could say that."""
    run, candidate = world.record.run, world.record.candidate
    release = run is not None and run.kind is RunKind.RELEASE
    if not release or run is None or candidate is None or world.record.stable is None:
        return []
    kind, name = ConditionType.SIGNATURE_COMPATIBLE, candidate.revision
    if run.breaks is None:
        if reference.registry_reference(candidate.model.uri) is None:
            return []
        message = (
            f"nobody can say whether {name} takes and gives what stable does: register both models, logged with a "
            "signature"
        )
        return [_verdict(kind, "Unknown", Reason.SIGNATURE_UNKNOWN, message)]
    if not run.breaks:
        return [_verdict(kind, "True", Reason.SIGNATURE_KEPT, f"{name} takes and gives what stable does")]
    reason = Reason.BREAKING_ALLOWED if world.rollout.allow_breaking else Reason.SIGNATURE_BREAKS
    return [_verdict(kind, "False", reason, f"{name}: {'; '.join(run.breaks)}")]


def challenger(world: World, resolved: ResolvedModel | Unresolved | None) -> list[Verdict]:
    """Return whether live requests are copied to the challenger; nothing where none is asked for."""
    shadow, one = world.rollout.challenger, world.record.challenger
    if shadow is None:
        return []
    kind, route = ConditionType.CHALLENGER_MIRRORED, world.observed.route
    if not world.observed.mesh:
        message = "the cluster has no Istio, so no request can be copied to a challenger"
        return [_verdict(kind, "False", Reason.MESH_MISSING, message)]
    if one is None and isinstance(resolved, Unresolved):
        return [_verdict(kind, "False", resolved.reason, resolved.message)]
    if one is None:
        if world.record.stable is None:
            return [_verdict(kind, "False", Reason.NO_STABLE, "there are no live requests to copy yet")]
        message = f"{shadow.uri} is what serves, or the candidate: there is nothing to compare it with"
        return [_verdict(kind, "False", Reason.CHALLENGER_SERVES, message)]
    name, backend = one.revision, world.backend(one)
    share = route.mirrors.get(name, 0) if route is not None else 0
    if backend.available > 0 and share == shadow.percent:
        stays = f"; it stays the challenger: {resolved.message}" if isinstance(resolved, Unresolved) else ""
        message = f"{name} gets a copy of {share} % of live requests and serves none of them{stays}"
        return [_verdict(kind, "True", Reason.CHALLENGER_COPIED, message)]
    if backend.available == 0 and backend.obstacle is not None:
        return [_verdict(kind, "False", backend.obstacle.reason, f"{name}: {backend.obstacle.message}")]
    return [_verdict(kind, "Unknown", Reason.CHALLENGER_STARTING, f"{name} is about to get a copy of live requests")]


RESTS: dict[Phase, str | None] = {
    Phase.PENDING: "{candidate} is starting, and nothing serves yet",
    Phase.STABLE: None,
    Phase.STARTING: "{candidate} is starting",
    Phase.DARK: None,
    Phase.SHADOWING: None,
    Phase.CANARY: None,
    Phase.PROMOTING: "all traffic is moving to {candidate}",
    Phase.ROLLING_BACK: "{leaving} has left the route and goes after the drain delay",
}
"""What a rollout is doing in the phases in which it cannot rest; None for those in which it can."""


def _ready(world: World, split: Split | None, claims: list[Verdict]) -> Verdict:
    """Everything else holds, and the rollout rests where the spec wants it."""
    kind = ConditionType.READY
    broken = next((claim for claim in claims if claim.status != "True"), None)
    if broken is not None:
        return _verdict(kind, "False", broken.reason, broken.message)
    run, record = world.record.run, world.record
    if run is not None and run.paused_at is not None and record.candidate is not None:
        return _verdict(kind, "False", Reason.PAUSED, f"{record.candidate.revision} is paused by a person")
    doing = RESTS[record.phase] or _short_of(world, split)
    if doing is not None or not _as_wished(world):
        return _verdict(kind, "False", Reason.UNDER_WAY, _said(world, doing or "the rollout is {phase}"))
    if steps.gated(world) and run is not None:
        wait = waits.waiting(world, split)
        reason = Reason.PAUSED if run.steps[run.step].pause is not None else Reason.UNDER_WAY
        return _verdict(kind, "False", reason, wait.message if wait is not None else "the plan goes on")
    if run is not None and run.steps and not steps.ended(world):
        return _verdict(kind, "False", Reason.UNDER_WAY, _said(world, f"step {steps.display(run)} is under way"))
    return _verdict(kind, "True", Reason.READY, "what the spec asks for is what serves")


def _short_of(world: World, split: Split | None) -> str | None:
    """Return what the candidate is about to be given; None if it has all that it is to have."""
    if world.record.candidate is None or split is None:
        return None
    want, had = intent.wanted(world), (split.candidate_weight, split.mirror_percent)
    return None if had == (want.traffic, want.mirror) else f"{{candidate}} is about to be given {want.said}"


def _said(world: World, doing: str) -> str:
    """Return what a rollout that has not come to rest is doing, and to which revision."""
    record = world.record
    return doing.format(
        candidate=record.candidate.revision if record.candidate is not None else "the rollout",
        leaving=", ".join(each.revision.revision for each in record.retiring) or "the candidate",
        phase=record.phase,
    )


def _as_wished(world: World) -> bool:
    """The revision that the spec asks for is the one that serves or rolls out."""
    record, wish = world.record, world.wish
    return wish is not None and wish.revision in {
        revision.revision for revision in (record.stable, record.candidate) if revision is not None
    }
