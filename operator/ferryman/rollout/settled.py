"""What follows from time, the spec and what was seen, without a decision: settled before a signal is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from ferryman.api.run import RunKind
from ferryman.api.status import Phase
from ferryman.rollout import capacity, stability, steps, verbs
from ferryman.rollout.record import Record, World


def _forgiven(world: World) -> Record:
    """Forget a rejection or a withdrawal once the spec asks for something else, or it is what serves again."""
    record, wish = world.record, world.wish
    rolling_back = record.run is not None and record.run.kind is RunKind.ROLLBACK and record.candidate is not None
    serves = record.stable.revision if record.stable is not None and not rolling_back else None
    rejected, withdrawn = record.rejected, record.withdrawn
    if rejected is not None and (rejected.revision == serves or (wish and rejected.revision != wish.revision)):
        record = replace(record, rejected=None)
    if withdrawn is not None and (withdrawn == serves or (wish and withdrawn != wish.revision)):
        record = replace(record, withdrawn=None)
    return record


def _held(world: World) -> Record:
    """Let the deadline of a candidate that is held stand still."""
    record, run = world.record, world.record.run
    if run is None or record.candidate is None:
        return record
    paused = run.paused_at is not None and record.phase is Phase.STARTING
    if paused or capacity.held(world) is not None:
        return record.with_run(held_since=world.now) if run.held_since is None else record
    if run.held_since is None:
        return record
    stood_still = max(world.now - run.held_since, timedelta(0))
    return record.with_run(held_since=None).with_candidate(since=record.candidate.since + stood_still)


def _not_ahead(world: World) -> Record:
    """Take a deadline's clock that runs ahead of ours, as another node's may have done, for one that starts now."""
    candidate = world.record.candidate
    ahead = candidate is not None and candidate.since > world.now
    return world.record.with_candidate(since=world.now) if ahead else world.record


BEFORE: tuple[Callable[[World], Record], ...] = (
    verbs.remembered,
    _forgiven,
    steps.followed,
    _not_ahead,
    _held,
    stability.clocked,
    steps.clocked,
)
"""In this order, before each step."""
