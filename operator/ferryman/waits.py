"""What a rollout waits for: since when, what would end it, and who can do that.

For people who ask why it does not go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ferryman.api.conditions import Reason
from ferryman.api.journal import Cause, Waiting
from ferryman.api.revision import Revision
from ferryman.api.run import Run
from ferryman.api.status import Phase
from ferryman.rollout import capacity, intent, stability, steps, traffic
from ferryman.rollout.intent import Want
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split

NEXT_LOOK = "the operator's next look"
"""What ends a wait that nobody need do anything about."""


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
    Reason.SIGNATURE_BREAKS: Wait(
        Cause.PERSON,
        "it would break those who call stable; see SignatureCompatible",
        "another version, or spec.rollout.allowBreaking: true",
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
    record, candidate, run = world.record, world.record.candidate, world.record.run
    if candidate is None:
        return _without_candidate(world, leaving_until)
    hindrance = capacity.held(world)
    if hindrance is not None:
        return HELD[hindrance]
    if record.phase in (Phase.STARTING, Phase.PENDING):
        return _start(world, candidate)
    if split is not None:
        missing = _missing(world, candidate, split)
        if missing is not None:
            return missing
    if run is not None and run.paused_at is not None:
        told = f"ferryman.dev/resume={candidate.revision}, promote or abort"
        return Wait(Cause.PERSON, f"{candidate.revision} is paused at {intent.wanted(world).traffic} % at most", told)
    if run is not None and run.steps and run.promote_over is None:
        return _step(world, candidate, run)
    if record.phase is Phase.PROMOTING:
        moving = f"all traffic is moving to {candidate.revision}"
        return Wait(Cause.ROUTE, moving, "the route is seen to name it alone")
    want = intent.wanted(world)
    verbs = f"another number, ferryman.dev/promote={candidate.revision}, or abort"
    return Wait(Cause.NUMBER, f"{candidate.revision} has {want.said}, as the spec asks", verbs)


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


def _without_candidate(world: World, leaving_until: datetime | None) -> Wait | None:
    record = world.record
    if record.phase is Phase.ROLLING_BACK and record.retiring:
        leaving = ", ".join(each.revision.revision for each in record.retiring)
        ends = "the drain delay, then its pods' end"
        return Wait(Cause.DRAIN, f"{leaving} has no traffic and goes", ends, leaving_until)
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
    backend, record, want = world.backend(candidate), world.record, intent.wanted(world)
    needed = capacity.needed(world, want) if record.stable is not None else 1
    deadline = None
    if record.stable is not None and (record.run is None or record.run.held_since is None):
        deadline = candidate.since + timedelta(seconds=world.rollout.deadline_seconds)
    if backend.available >= needed and backend.addressed:
        calm = stability.calm_at(world)
        if calm is None or calm <= world.now:
            return _about_to(candidate, want)
        losses = record.run.losses if record.run is not None else 0
        message = f"{candidate.revision} lost all its pods {losses} times and has to keep one for a while"
        return Wait(Cause.STEADINESS, message, "its pods' staying ready", calm)
    message = f"{candidate.revision} has {backend.available} of the {needed} pods it needs"
    if backend.obstacle is not None:
        return Wait(Cause.PODS, f"{message}: {backend.obstacle.reason}", backend.obstacle.message, deadline)
    return Wait(Cause.PODS, message, "its pods' fetching, loading and warming up", deadline)


def _missing(world: World, candidate: Revision, split: Split) -> Wait | None:
    """Return what keeps the candidate from what it is to have, or the route from what the candidate may have."""
    want, backend = intent.wanted(world), world.backend(candidate)
    needed, share = capacity.needed(world, want), traffic.observed_weight(world, candidate)
    if (split.candidate_weight, split.mirror_percent) != (want.traffic, want.mirror):
        if not world.observed.mesh:
            return Wait(Cause.NUMBER, "without Istio a candidate gets everything or nothing", "100 %, or Istio")
        if backend.available >= needed and backend.addressed:
            return _about_to(candidate, want)
        has = f"{candidate.revision} has {backend.available} of the {needed} pods for {want.said}"
        blocked = backend.obstacle.message if backend.obstacle is not None else "more pods' becoming ready"
        return Wait(Cause.PODS, f"{has}; it keeps {share} %", blocked)
    if world.observed.mesh and share != split.candidate_weight:
        return Wait(Cause.ROUTE, "the route is being written", "the apiserver takes the VirtualService")
    return None


def _about_to(candidate: Revision, want: Want) -> Wait:
    return Wait(Cause.ROUTE, f"{candidate.revision} is about to be given {want.said}", NEXT_LOOK)


def _step(world: World, candidate: Revision, run: Run) -> Wait:
    """Return what a plan waits for whose step has all that it is to have, as far as the route was seen."""
    where = f"step {run.step + 1} of {len(run.steps)}"
    verbs = f"ferryman.dev/promote={candidate.revision}, or abort"
    if steps.ended(world):
        return Wait(
            Cause.PERSON, f"{where} is the last: {candidate.revision} keeps {intent.wanted(world).said}", verbs
        )
    pause = run.steps[run.step].pause
    if not steps.gated(world) or pause is None:
        return Wait(Cause.ROUTE, f"{where} is being brought about", NEXT_LOOK)
    ends = steps.ends_at(world)
    if ends is not None:
        resume = f"its time, or ferryman.dev/resume={candidate.revision}"
        return Wait(Cause.PAUSE, f"{where} is held for {pause.duration}", resume, ends)
    resume = f"ferryman.dev/resume={candidate.revision}, promote or abort"
    return Wait(Cause.PERSON, f"{where} is held until a person lets it go on", resume)
