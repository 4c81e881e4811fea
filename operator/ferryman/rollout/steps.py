"""The plan of a run: which steps it is pinned to, when a step's clock starts, and when its gate opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ferryman.api.rollout import Step
from ferryman.api.run import Run, RunKind
from ferryman.api.status import Phase
from ferryman.rollout import intent
from ferryman.rollout.record import Record, World


def planned(world: World) -> tuple[Step, ...]:
    """Return the steps that a run which begins now is pinned to."""
    return tuple(world.rollout.canary.steps) if world.rollout.canary is not None else ()


def followed(world: World) -> Record:
    """Let the spec's number act at once, and let steps in its place be adopted; a pinned plan stays otherwise."""
    record, canary = world.record, world.rollout.canary
    run = record.run
    if run is None or record.candidate is None or record.stable is None:
        return record
    if canary is not None and canary.traffic_percent is not None and run.steps:
        record = record.with_run(steps=[], step=0, step_since=None)
    elif planned(world) and not run.steps and run.kind is RunKind.RELEASE:
        record = record.with_run(steps=list(planned(world)), step=0, step_since=None)
    world = replace(world, record=record)
    if run.promote_over is not None and run.promote_over != intent.told_over(world):
        record = record.with_run(promote_over=None)
    return record


def clocked(world: World) -> Record:
    """Start the clock of a step whose share is seen; a clock that runs ahead of ours starts now."""
    run = world.record.run
    if run is None or not run.steps:
        return world.record
    if run.step_since is None:
        return world.record.with_run(step_since=world.now) if _shown(world, run) else world.record
    return world.record.with_run(step_since=world.now) if run.step_since > world.now else world.record


def gated(world: World) -> bool:
    """Tell whether the step that is under way has its share, and another follows it."""
    run = world.record.run
    return _rules(run) and run is not None and run.step_since is not None and run.step < len(run.steps) - 1


def passed(world: World) -> bool:
    """Tell whether the gate of the step that is under way has opened by itself."""
    run = world.record.run
    if not gated(world) or run is None or run.paused_at is not None:
        return False
    if run.steps[run.step].pause is None:
        return True
    ends = ends_at(world)
    return ends is not None and world.now >= ends


def ends_at(world: World) -> datetime | None:
    """Return when the gate opens by itself; None if it is open, waits for a person, or its share is not there yet."""
    run = world.record.run
    if not gated(world) or run is None or run.step_since is None:
        return None
    pause = run.steps[run.step].pause
    length = pause.length() if pause is not None else None
    return run.step_since + length if length is not None else None


def ended(world: World) -> bool:
    """Tell whether a plan has come to its last step, and that step's share is there."""
    run = world.record.run
    return _rules(run) and run is not None and run.step_since is not None and run.step == len(run.steps) - 1


def advanced(record: Record) -> Record:
    """Take the next step."""
    run = record.run
    return record if run is None else record.with_run(step=run.step + 1, step_since=None)


def display(run: Run) -> str:
    """Return where in its plan a run is, for people."""
    held = " paused" if run.paused_at is not None else ""
    return f"{run.step + 1}/{len(run.steps)}{held}" if run.steps else held.strip()


def _rules(run: Run | None) -> bool:
    return run is not None and bool(run.steps) and run.promote_over is None


def _shown(world: World, run: Run) -> bool:
    """The route shows exactly the step's share, and the candidate has pods."""
    record, want = world.record, intent.of_step(run.steps[run.step])
    candidate, route = record.candidate, world.observed.route
    if candidate is None or world.backend(candidate).available == 0:
        return False
    name = candidate.revision
    weight = route.weights.get(name, 0) if route is not None else 0
    mirror = route.mirrors.get(name, 0) if route is not None else 0
    if (weight, mirror) != (want.traffic, want.mirror):
        return False
    if want.traffic:
        return record.phase in (Phase.CANARY, Phase.PROMOTING)
    return record.phase is (Phase.SHADOWING if want.mirror else Phase.DARK)
