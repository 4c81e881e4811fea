"""What each signal does to the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ferryman.api.conditions import Reason
from ferryman.api.journal import LastRollout, Outcome
from ferryman.api.revision import Rejected, Revision
from ferryman.api.run import Run, RunKind
from ferryman.api.status import Phase
from ferryman.rollout import capacity, intent, stability, steps, traffic, verbs
from ferryman.rollout.record import Record, World
from ferryman.rollout.signals import Signal


def _name_candidate(world: World) -> Record:
    """Start the wished revision. One that was leaving, or was kept, comes back with the pods it still has."""
    record, wish = world.record, world.wish
    if wish is None:
        return record
    if record.candidate is not None:
        message = f"{wish.revision} was named before it was promoted"
        record = _ended(world, record, Outcome.SUPERSEDED, Reason.SUPERSEDED, message)
    plan = list(steps.planned(world)) if record.stable is not None else []
    breaks = list(world.breaks) if world.breaks is not None else None
    run = Run(started=world.now, steps=plan, full=capacity.at_start(world), breaks=breaks)
    return replace(_taken_up(world, record, wish), run=run, withdrawn=None)


def _taken_up(world: World, record: Record, wish: Revision) -> Record:
    """Make a revision the candidate, as it was recorded if it is still there."""
    if record.candidate is not None:
        record = record.leave(record.candidate)
    name = wish.revision
    known = record.recorded(name) or wish
    candidate = known.model_copy(update={"since": world.now, "served": False})
    return replace(record.back(name), candidate=candidate)


def _serve_first(world: World) -> Record:
    """Make the first revision stable."""
    candidate = _required(world.record.candidate)
    return replace(world.record, stable=candidate.model_copy(update={"since": world.now}), candidate=None, run=None)


def _give_traffic(world: World) -> Record:
    """Remember, before the first request can reach it, that the candidate had traffic."""
    return world.record.with_candidate(served=True)


def _pass_step(world: World) -> Record:
    """Go on to the next step of the plan."""
    return steps.advanced(world.record)


def _promote(world: World) -> Record:
    """Move the pointer: the candidate is stable, and the old one is kept. No pod is touched."""
    old, new = _required(world.record.stable), _required(world.record.candidate)
    rolled_back = world.record.run is not None and world.record.run.kind is RunKind.ROLLBACK
    reason = Reason.ROLLED_BACK if rolled_back else Reason.PROMOTED
    record = _ended(world, world.record, Outcome.PROMOTED, reason, f"{new.revision} is stable")
    promoted = new.model_copy(update={"since": world.now, "served": True})
    record = replace(record, stable=promoted, candidate=None, run=None, withdrawn=None)
    others = tuple(each for each in record.history if each.revision.revision != new.revision)
    return replace(record, history=others).keep(old)


def _give_up(world: World, reason: Reason, message: str) -> Record:
    """Send the candidate out. Its run is kept until it is gone: stable is to get back what the run took from it."""
    record = _ended(world, world.record, Outcome.ROLLED_BACK, reason, message)
    return replace(record.leave(_required(record.candidate)), candidate=None)


def _return(world: World) -> Record:
    stable = _required(world.record.stable)
    return _give_up(world, Reason.RETURNED, f"the spec asks for {stable.revision} again")


def _withdraw(world: World) -> Record:
    """Send the candidate out, and remember that it was the number that did it."""
    candidate = _required(world.record.candidate).revision
    record = _give_up(world, Reason.CANDIDATE_WITHDRAWN, f"the spec took {candidate} back to 0 %")
    return replace(record, withdrawn=candidate)


def _reject(world: World, reason: Reason, message: str) -> Record:
    """Send the candidate out, and remember why, so that it does not come back by itself.

    What a rollback left behind stays what is rejected: it is what the spec asks for.
    """
    candidate = _required(world.record.candidate)
    record = _give_up(world, reason, message)
    if world.record.run is not None and world.record.run.kind is RunKind.ROLLBACK:
        return record
    rejected = Rejected(revision=candidate.revision, reason=reason, message=message, time=world.now)
    return replace(record, rejected=rejected)


def _miss_deadline(world: World) -> Record:
    obstacle = world.backend(world.record.candidate).obstacle
    if obstacle is not None:
        return _reject(world, obstacle.reason, obstacle.message)
    return _reject(world, Reason.DEADLINE_EXCEEDED, f"not ready after {world.rollout.deadline_seconds} s")


def _find_unstable(world: World) -> Record:
    losses = world.record.run.losses if world.record.run is not None else 0
    obstacle = world.backend(world.record.candidate).obstacle
    last = f"; the last time: {obstacle.message}" if obstacle is not None else ""
    return _reject(world, Reason.UNSTABLE, f"it lost all its pods {losses} times after they were ready{last}")


def _abort(world: World) -> Record:
    record = _reject(world, Reason.ABORTED, "a person aborted it; ferryman.dev/retry brings it back")
    stable = _required(world.record.stable).revision
    return verbs.answered(record, world, "Done", f"traffic is back on {stable}, and the candidate leaves")


def _roll_back(world: World) -> Record:
    """Make a revision that was stable before the candidate, and give it everything as soon as it carries it.

    What the spec asks for is rejected: it would be named again at once.
    """
    record, asked = world.record, _asked(world)
    target = _required(record.kept(verbs.meant(world, asked.target)))
    if record.candidate is not None:
        message = f"a person rolled back to {target.revision}"
        record = _ended(world, record, Outcome.SUPERSEDED, Reason.ROLLED_BACK, message)
    left = world.wish or record.candidate or _required(record.stable)
    record = replace(
        _taken_up(world, record, target),
        run=Run(kind=RunKind.ROLLBACK, started=world.now, full=capacity.at_start(world)),
        withdrawn=None,
        rejected=None,
    )
    if left.revision != target.revision:
        message = f"a person rolled back from it to {target.revision}; ferryman.dev/retry brings it back"
        rejected = Rejected(revision=left.revision, reason=Reason.ROLLED_BACK, message=message, time=world.now)
        record = replace(record, rejected=rejected)
    return verbs.answered(record, world, "Done", f"{target.revision} gets all traffic as soon as it can carry it")


def _pause(world: World) -> Record:
    share = traffic.observed_weight(world, world.record.candidate)
    message = f"the candidate gets no more than {share} % until ferryman.dev/resume"
    held_since = world.now if world.record.phase is Phase.STARTING else None
    record = world.record.with_run(paused_at=share, held_since=held_since)
    return verbs.answered(record, world, "Done", message)


def _resume(world: World) -> Record:
    run = world.record.run
    if run is not None and run.paused_at is not None:
        return verbs.answered(world.record.with_run(paused_at=None), world, "Done", "the rollout goes on")
    return verbs.answered(steps.advanced(world.record), world, "Done", "the next step follows")


def _hurry(world: World) -> Record:
    record = world.record.with_run(promote_over=intent.told_over(world), paused_at=None)
    return verbs.answered(record, world, "Done", "the candidate gets everything as soon as it has the pods for it")


def _retry(world: World) -> Record:
    record = replace(world.record, rejected=None, withdrawn=None)
    return verbs.answered(record, world, "Done", f"{_asked(world).target} may start anew")


def _refuse(world: World) -> Record:
    return verbs.answered(world.record, world, "Refused", verbs.refusal(world, _asked(world)) or "")


def _keep(world: World) -> Record:
    return world.record


OF: dict[Signal, Callable[[World], Record]] = {
    Signal.RETURNED: _return,
    Signal.CANDIDATE_LOST: stability.lost,
    Signal.TRAFFIC_MOVED: _promote,
    Signal.ABORT_TOLD: _abort,
    Signal.ROLLBACK_TOLD: _roll_back,
    Signal.PAUSE_TOLD: _pause,
    Signal.RETRY_TOLD: _retry,
    Signal.PROMOTE_TOLD: _hurry,
    Signal.RESUME_TOLD: _resume,
    Signal.REFUSED: _refuse,
    Signal.WITHDRAWN: _withdraw,
    Signal.UNSTABLE: _find_unstable,
    Signal.DEADLINE_PASSED: _miss_deadline,
    Signal.CANDIDATE_NAMED: _name_candidate,
    Signal.FIRST_SERVES: _serve_first,
    Signal.STEP_PASSED: _pass_step,
    Signal.PROMOTION_WANTED: _give_traffic,
    Signal.TRAFFIC_WANTED: _give_traffic,
    Signal.MIRROR_WANTED: _keep,
    Signal.DARK_WANTED: _keep,
    Signal.ROLLED_BACK: lambda world: replace(world.record, run=None),
}


def _ended(world: World, record: Record, outcome: Outcome, reason: Reason, message: str) -> Record:
    """Write down how the candidate's run ended; the first revision's start is no run."""
    candidate, stable = record.candidate, record.stable
    if candidate is None or stable is None:
        return record
    started = record.run.started if record.run is not None else candidate.since
    last = LastRollout(
        revision=candidate.revision,
        uri=candidate.model.uri,
        registry=candidate.model.registry,
        replaced=stable.revision,
        outcome=outcome,
        reason=reason.value,
        message=message,
        started=started,
        finished=world.now,
    )
    return replace(record, last=last)


def _asked(world: World) -> verbs.Request:
    asked = verbs.request(world)
    assert asked is not None, "a verb's signal was heard without a verb"
    return asked


def _required(revision: Revision | None) -> Revision:
    """Return the revision that the signal's predicate has already seen."""
    assert revision is not None, "the table lists a signal whose predicate does not require this revision"
    return revision
