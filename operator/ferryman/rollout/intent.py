"""What the candidate is to have now: the spec's number, the step of a pinned plan, or what a person told.

Traffic and mirror are never both wanted of one revision.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferryman.api.rollout import Rollout, Step, Surge
from ferryman.api.run import Run, RunKind
from ferryman.rollout.record import World

STEPS = -1
"""Stands for the spec's number during steps."""


@dataclass(frozen=True, slots=True)
class Want:
    """The share of live traffic, and the share of it to be mirrored, that the candidate is to have, in percent."""

    traffic: int
    mirror: int = 0

    @property
    def share(self) -> int:
        """Return the share that the candidate needs pods for."""
        return self.traffic or self.mirror

    @property
    def said(self) -> str:
        """Return the share in words."""
        return f"a copy of {self.mirror} %" if self.mirror else f"{self.traffic} %"


EVERYTHING = Want(100)


def wanted(world: World) -> Want:
    """Return what the candidate is to have now."""
    run = world.record.run
    want = _asked(world.rollout, run)
    if run is None or run.paused_at is None or want.traffic <= run.paused_at:
        return want
    shadow = world.rollout.mirror
    return Want(run.paused_at, shadow.percent if run.paused_at == 0 and shadow is not None else 0)


def _asked(rollout: Rollout, run: Run | None) -> Want:
    if run is not None and (run.kind is RunKind.ROLLBACK or run.promote_over is not None):
        return EVERYTHING
    if run is not None and run.steps:
        return of_step(run.steps[min(run.step, len(run.steps) - 1)])
    traffic = number(rollout)
    mirror = rollout.mirror.percent if rollout.mirror is not None and traffic == 0 else 0
    return Want(traffic, mirror)


def of_step(step: Step) -> Want:
    """Return what a step gives."""
    return Want(step.traffic_percent or 0, step.shadow_percent or 0)


def number(rollout: Rollout) -> int:
    """Return the share that the spec wants for a candidate without a plan: 100 where it says nothing of a share."""
    if rollout.canary is not None and rollout.canary.traffic_percent is not None:
        return rollout.canary.traffic_percent
    return 0 if rollout.mirror is not None else 100


def told_over(world: World) -> int:
    """Return what `promote` overrules: the spec's number, or the steps."""
    run = world.record.run
    return STEPS if run is not None and run.steps else number(world.rollout)


def takes_back(world: World) -> bool:
    """Tell whether the spec's number is what rules the run, and is 0."""
    run = world.record.run
    ruled = run is None or (run.kind is RunKind.RELEASE and not run.steps and run.promote_over is None)
    return ruled and _plans_nothing(world.rollout) and number(world.rollout) == 0


def _plans_nothing(rollout: Rollout) -> bool:
    return rollout.canary is None or not rollout.canary.steps


def no_surge(world: World) -> bool:
    """Tell whether there is no room for a candidate beside stable."""
    return world.rollout.surge is Surge.NO_SURGE
