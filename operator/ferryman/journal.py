"""What the operator tells of its own doings: what it waits for, and which decisions it took on which numbers.

For people who ask "why does it not go on?": each wait says since when, what would end it, and who can do that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ferryman.api.conditions import Reason
from ferryman.api.journal import Cause, Decision, Numbers, Waiting
from ferryman.api.revision import Revision
from ferryman.api.run import RunKind
from ferryman.api.status import Phase
from ferryman.rollout import capacity, intent, stability, steps, traffic
from ferryman.rollout.decided import Decided
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split

KEPT = 10
"""How many decisions a status holds."""

WEIGHED = "Weighed"
"""The rule of a decision that moved only the share."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait before it has a clock."""

    cause: Cause
    message: str
    unblocked_by: str
    until: datetime | None = None


HELD = {
    Reason.MESH_MISSING: Wait(
        Cause.ROOM,
        "surge: NoSurge moves traffic pod by pod, which needs Istio",
        "install Istio, or set spec.rollout.surge: Surge where there is room for both revisions",
    ),
    Reason.NO_SPLIT: Wait(
        Cause.ROOM,
        "with one pod and no room for a second there is nothing to split or mirror",
        "give it 100 %, scale to more pods, or set spec.rollout.surge: Surge where there is room for both",
    ),
    Reason.DOWNTIME_NEEDED: Wait(
        Cause.ROOM,
        "the only pod would have to stop before the candidate can start, and nothing would serve meanwhile",
        "set spec.rollout.allowDowntime: true, or spec.rollout.surge: Surge where there is room for both",
    ),
}
"""What is said of a candidate that may not even have its first pod, by `capacity.held`."""


def waiting(world: World, split: Split | None, leaving_until: datetime | None = None) -> Wait | None:
    """Return what the rollout waits for now; None when nothing is under way."""
    record, candidate = world.record, world.record.candidate
    if candidate is None:
        return _without_candidate(world, leaving_until)
    hindrance = capacity.held(world)
    if hindrance is not None:
        return HELD[hindrance]
    run, want = record.run, intent.wanted(world)
    if record.phase in (Phase.STARTING, Phase.PENDING):
        return _start(world, candidate)
    if want.traffic > (split.candidate_weight if split is not None else traffic.observed_weight(world, candidate)):
        return _more_pods(world, candidate)
    if split is not None and traffic.observed_weight(world, candidate) != split.candidate_weight:
        return Wait(Cause.ROUTE, "the route is being written", "the apiserver takes the VirtualService")
    if run is not None and run.paused_at is not None:
        told = f"kubectl annotate mdep ... ferryman.dev/resume={candidate.revision}, promote or abort"
        return Wait(Cause.PERSON, f"{candidate.revision} is paused at {want.traffic} % at most", told)
    if steps.gated(world) and run is not None:
        ends = steps.ends_at(world)
        where = f"step {run.step + 1} of {len(run.steps)}"
        if ends is not None:
            return Wait(
                Cause.PAUSE, f"{where} is held for {_length(world)}", "its time, or ferryman.dev/resume", ends
            )
        named = f"ferryman.dev/resume={candidate.revision}, promote or abort"
        return Wait(Cause.PERSON, f"{where} is held until a person lets it go on", named)
    if record.phase is Phase.PROMOTING:
        return Wait(
            Cause.ROUTE, f"all traffic is moving to {candidate.revision}", "the route is seen to name it alone"
        )
    return _rest(world, candidate)


def _without_candidate(world: World, leaving_until: datetime | None) -> Wait | None:
    record = world.record
    if record.phase is Phase.ROLLING_BACK and record.retiring:
        leaving = ", ".join(each.revision.revision for each in record.retiring)
        return Wait(
            Cause.DRAIN, f"{leaving} has no traffic and goes", "the drain delay, then its pods' end", leaving_until
        )
    if world.wish is None:
        return Wait(Cause.MODEL, "nobody can say which bytes spec.model.uri means", "the registry; see ModelResolved")
    if record.rejected is not None:
        name, why = record.rejected.revision, record.rejected.reason
        return Wait(Cause.PERSON, f"{name} was rolled back ({why})", f"another model, or ferryman.dev/retry={name}")
    if record.withdrawn is not None:
        name = record.withdrawn
        return Wait(Cause.NUMBER, f"{name} was taken back to 0 %", f"a higher number, or ferryman.dev/retry={name}")
    return None


def _start(world: World, candidate: Revision) -> Wait:
    backend = world.backend(candidate)
    needed = capacity.needed(world, intent.wanted(world)) if world.record.stable is not None else 1
    deadline = None
    if world.record.stable is not None:
        deadline = candidate.since + timedelta(seconds=world.rollout.deadline_seconds)
    calm = stability.calm_at(world)
    if backend.available >= needed and calm is not None and calm > world.now:
        losses = world.record.run.losses if world.record.run is not None else 0
        message = f"{candidate.revision} lost all its pods {losses} times and has to keep one for a while"
        return Wait(Cause.STEADINESS, message, "its pods' staying ready", calm)
    message = f"{candidate.revision} has {backend.available} of the {needed} pods it needs"
    if backend.obstacle is not None:
        return Wait(Cause.PODS, f"{message}: {backend.obstacle.reason}", backend.obstacle.message, deadline)
    return Wait(Cause.PODS, message, "its pods' fetching, loading and warming up", deadline)


def _more_pods(world: World, candidate: Revision) -> Wait:
    want = intent.wanted(world)
    needed, backend = capacity.needed(world, want), world.backend(candidate)
    share = traffic.observed_weight(world, candidate)
    message = (
        f"{candidate.revision} has {backend.available} of the {needed} pods for {want.traffic} %; it keeps {share} %"
    )
    if not world.observed.mesh:
        return Wait(Cause.NUMBER, "without Istio a candidate gets everything or nothing", "100 %, or Istio")
    blocked = backend.obstacle.message if backend.obstacle is not None else "more pods' becoming ready"
    return Wait(Cause.PODS, message, blocked)


def _rest(world: World, candidate: Revision) -> Wait:
    want, run = intent.wanted(world), world.record.run
    verbs = f"ferryman.dev/promote={candidate.revision}, or abort"
    if run is not None and run.steps:
        return Wait(Cause.PERSON, f"{candidate.revision} has {want.said}, the last step of its plan", verbs)
    if run is not None and run.kind is RunKind.ROLLBACK:
        return Wait(Cause.PODS, f"{candidate.revision} is to have everything", "its pods")
    return Wait(Cause.NUMBER, f"{candidate.revision} has {want.said}, as the spec asks", f"another number, {verbs}")


def _length(world: World) -> str:
    run = world.record.run
    pause = run.steps[run.step].pause if run is not None else None
    return pause.duration or "" if pause is not None else ""


def stamped(wait: Wait | None, previous: Waiting | None, now: datetime) -> Waiting | None:
    """Give a wait its clock: one for the same cause goes on since the first."""
    if wait is None:
        return None
    return Waiting(
        cause=wait.cause.value,
        message=wait.message,
        since=previous.since if previous is not None and previous.cause == wait.cause else now,
        until=wait.until,
        unblocked_by=wait.unblocked_by,
    )


def told(previous: list[Decision], decided: Decided, wait: Wait | None) -> list[Decision]:
    """Return the decisions with the one that was just taken, if any was; the oldest are let go."""
    world, record = decided.world, decided.world.record
    about = record.candidate or decided.before.candidate
    if decided.signal is None:
        share = decided.split.candidate_weight if decided.split is not None else 0
        if not world.observed.mesh or about is None or share == traffic.observed_weight(world, about):
            return previous
    subject = about or record.stable
    now = Decision(
        time=world.now,
        rule=decided.signal.value if decided.signal is not None else WEIGHED,
        phase=record.phase.value,
        revision=subject.revision if subject is not None else "",
        numbers=_numbers(world, about),
        waits_for=wait.message if wait is not None else "",
        unblocked_by=wait.unblocked_by if wait is not None else "",
    )
    if previous and decided.signal is None and _same(previous[-1], now):
        return previous
    return [*previous, now][-KEPT:]


def _numbers(world: World, about: Revision | None) -> Numbers:
    backend = world.backend(about)
    under_way = world.record.candidate is not None and world.record.stable is not None
    want = intent.wanted(world)
    return Numbers(
        weight=traffic.observed_weight(world, about),
        wanted=want.traffic if under_way else 0,
        pods=backend.available,
        needed=capacity.needed(world, want) if under_way else 0,
        stable_pods=world.backend(world.record.stable).available,
    )


def _same(last: Decision, now: Decision) -> bool:
    """The decision is the one that was taken before, on the same numbers."""
    return (last.rule, last.phase, last.revision, last.numbers) == (now.rule, now.phase, now.revision, now.numbers)
