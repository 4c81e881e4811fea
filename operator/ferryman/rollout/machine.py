"""The rollout as a table: (phase, signal) -> phase. This is the file to show to a newcomer.

Three rules: everything that moves a rollout is in this file; this file knows no Kubernetes; a pair that is not in the
table means "stay". `TABLE` says where a signal leads, `CHANGES` what it does to the record. One step is taken per
look at the cluster, so that each step's effects are seen before the next is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ferryman.api.conditions import Reason
from ferryman.api.status import Phase, Rejected, Revision
from ferryman.rollout import signals
from ferryman.rollout.record import Record, World
from ferryman.rollout.signals import Signal

TABLE: dict[Phase, dict[Signal, Phase]] = {
    Phase.PENDING: {
        Signal.CANDIDATE_NAMED: Phase.PENDING,
        Signal.FIRST_SERVES: Phase.STABLE,
    },
    Phase.STABLE: {
        Signal.CANDIDATE_NAMED: Phase.STARTING,
    },
    Phase.STARTING: {
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.DEADLINE_PASSED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.DARK: {
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
    },
    Phase.SHADOWING: {
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.CANARY: {
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
    },
    Phase.PROMOTING: {
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.TRAFFIC_MOVED: Phase.STABLE,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
    },
    Phase.ROLLING_BACK: {
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.ROLLED_BACK: Phase.STABLE,
    },
}


def _name_candidate(world: World) -> Record:
    """Start the wished revision. One that was leaving comes back with the pods it still has."""
    record, wish = world.record, world.wish
    if wish is None:
        return record
    if record.candidate is not None:
        record = record.retire(record.candidate)
    staying = tuple(leaving for leaving in record.retiring if leaving.revision.revision != wish.revision)
    back = next((leaving.revision for leaving in record.retiring if leaving.revision.revision == wish.revision), wish)
    candidate = back.model_copy(update={"since": world.now, "served": False})
    return replace(record, candidate=candidate, retiring=staying, withdrawn=None)


def _serve_first(world: World) -> Record:
    """Make the first revision stable."""
    candidate = _required(world.record.candidate)
    return replace(world.record, stable=candidate.model_copy(update={"since": world.now}), candidate=None)


def _give_traffic(world: World) -> Record:
    """Remember, before the first request can reach it, that the candidate had traffic."""
    candidate = _required(world.record.candidate)
    return replace(world.record, candidate=candidate.model_copy(update={"served": True}))


def _restart_clock(world: World) -> Record:
    """Give the candidate its deadline anew, to become ready again."""
    candidate = _required(world.record.candidate)
    return replace(world.record, candidate=candidate.model_copy(update={"since": world.now}))


def _promote(world: World) -> Record:
    """Move the pointer: the candidate is stable, and the old one leaves. No pod is touched."""
    old, new = _required(world.record.stable), _required(world.record.candidate)
    promoted = new.model_copy(update={"since": world.now, "served": True})
    return replace(world.record.retire(old), stable=promoted, candidate=None)


def _give_up(world: World) -> Record:
    """Send the candidate out."""
    return replace(world.record.retire(_required(world.record.candidate)), candidate=None)


def _withdraw(world: World) -> Record:
    """Send the candidate out, and remember that it was the number that did it."""
    return replace(_give_up(world), withdrawn=_required(world.record.candidate).revision)


def _reject(world: World) -> Record:
    """Send the candidate out, and remember why, so that it does not come back by itself."""
    candidate = _required(world.record.candidate)
    obstacle = world.backend(candidate).obstacle
    deadline = world.rollout.deadline_seconds
    rejected = Rejected(
        revision=candidate.revision,
        reason=obstacle.reason if obstacle else Reason.DEADLINE_EXCEEDED,
        message=obstacle.message if obstacle else f"not ready after {deadline} s",
        time=world.now,
    )
    return replace(_give_up(world), rejected=rejected)


def _keep(world: World) -> Record:
    return world.record


CHANGES: dict[Signal, Callable[[World], Record]] = {
    Signal.RETURNED: _give_up,
    Signal.CANDIDATE_LOST: _restart_clock,
    Signal.TRAFFIC_MOVED: _promote,
    Signal.WITHDRAWN: _withdraw,
    Signal.DEADLINE_PASSED: _reject,
    Signal.CANDIDATE_NAMED: _name_candidate,
    Signal.FIRST_SERVES: _serve_first,
    Signal.PROMOTION_WANTED: _give_traffic,
    Signal.TRAFFIC_WANTED: _give_traffic,
    Signal.MIRROR_WANTED: _keep,
    Signal.DARK_WANTED: _keep,
    Signal.ROLLED_BACK: _keep,
}


def heard(world: World) -> Signal | None:
    """Return the first signal that holds and that the phase listens to."""
    listening = TABLE[world.record.phase]
    return next((signal for signal, holds in signals.ORDER if signal in listening and holds(world)), None)


def advance(world: World) -> tuple[Record, Signal | None]:
    """Take at most one step; return the record after it and the signal that caused it."""
    world = replace(world, record=_forgiven(world))
    signal = heard(world)
    if signal is None:
        return world.record, None
    return replace(CHANGES[signal](world), phase=TABLE[world.record.phase][signal]), signal


def _forgiven(world: World) -> Record:
    """Forget a rejection or a withdrawal once the spec asks for something else."""
    record, wish = world.record, world.wish
    if wish is None:
        return record
    if record.rejected is not None and record.rejected.revision != wish.revision:
        record = replace(record, rejected=None)
    if record.withdrawn is not None and record.withdrawn != wish.revision:
        record = replace(record, withdrawn=None)
    return record


def _required(revision: Revision | None) -> Revision:
    """Return the revision that the signal's predicate has already seen."""
    assert revision is not None, "the table lists a signal whose predicate does not require this revision"
    return revision


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for docs/status.md."""
    arrows: dict[tuple[Phase, Phase], list[Signal]] = {}
    for phase, leads in TABLE.items():
        for signal, to in leads.items():
            arrows.setdefault((phase, to), []).append(signal)
    lines = [f"    {a} --> {b}: {', '.join(causes)}" for (a, b), causes in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> Pending", *lines])
