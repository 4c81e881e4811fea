"""A candidate that comes and goes: how long it must have had a pod before it is trusted again, and when no more.

Without this, a candidate whose pods fall over under traffic and recover without it would be given traffic for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ferryman.rollout.record import Record, World

CALM = {1: timedelta(seconds=10), 2: timedelta(seconds=30)}
"""How long a candidate must have had a pod after its first and its second loss."""

TOO_OFTEN = 3
"""The loss that ends the run."""

FORGOTTEN = timedelta(minutes=10)
"""A loss so long after the one before counts as the first."""


def lost(world: World) -> Record:
    """Count a loss, stop the step's clock, and give the candidate its deadline anew."""
    run = world.record.run
    if run is None:
        return world.record
    recent = run.lost_at is not None and world.now - run.lost_at < FORGOTTEN
    counted = world.record.with_run(
        losses=run.losses + 1 if recent else 1,
        lost_at=world.now,
        steady_since=None,
        step_since=None,
    )
    return counted.with_candidate(since=world.now)


def clocked(world: World) -> Record:
    """Start the clock of a lost candidate that has a pod again; stop it when the pod is gone."""
    run = world.record.run
    if run is None or run.losses == 0 or world.record.candidate is None:
        return world.record
    there = world.backend(world.record.candidate).available > 0
    ahead = run.steady_since is not None and run.steady_since > world.now
    if there and (run.steady_since is None or ahead):
        return world.record.with_run(steady_since=world.now)
    if not there and run.steady_since is not None:
        return world.record.with_run(steady_since=None)
    return world.record


def steady(world: World) -> bool:
    """Tell whether the candidate may be trusted with traffic."""
    run = world.record.run
    if run is None or run.losses == 0:
        return True
    ends = calm_at(world)
    return ends is not None and world.now >= ends


def calm_at(world: World) -> datetime | None:
    """Return when a candidate that was lost may be trusted again; None while it has no pod, or was never lost."""
    run = world.record.run
    if run is None or run.losses == 0 or run.steady_since is None:
        return None
    return run.steady_since + CALM.get(run.losses, CALM[2])


def hopeless(world: World) -> bool:
    """Tell whether the candidate was lost too often in too short a time."""
    run = world.record.run
    return run is not None and run.losses >= TOO_OFTEN
