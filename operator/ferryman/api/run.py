"""A run: how one candidate is being rolled out. It begins when the candidate is named and ends with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict

from ferryman.api.base import Model
from ferryman.api.rollout import Step


class RunKind(StrEnum):
    """What a run is for."""

    RELEASE = "Release"
    """The spec named another revision."""
    ROLLBACK = "Rollback"
    """The verb `rollback` named a revision that was stable before: it gets everything as soon as it can carry it."""


class Run(Model):
    """The plan that a candidate is held to, and how far it has come."""

    model_config = ConfigDict(extra="ignore")

    kind: RunKind = RunKind.RELEASE
    """What the run is for."""
    started: datetime
    """When the candidate was named."""
    steps: list[Step] = []
    """The plan, as it was when the candidate was named; empty when the spec's number rules."""
    step: int = 0
    """The step that is under way, counted from 0."""
    step_since: datetime | None = None
    """Since when the route has shown the step's share; absent until it does."""
    paused_at: int | None = None
    """The share that the candidate was to have when `pause` was told; it gets no more until `resume`."""
    promote_over: int | None = None
    """The spec's number when `promote` was told, or -1 during steps; another number there takes the verb back."""
    full: int = 1
    """How many pods carried all traffic when the run began; what `NoSurge` divides between the two revisions."""
    held_since: datetime | None = None
    """Since when the start of the candidate is held, by `pause` or for want of room: its deadline stands still."""
    breaks: list[str] | None = None
    """What the candidate would break for those who call stable; absent where nobody can tell."""
    losses: int = 0
    """How often the candidate lost all its pods after it was ready, in quick succession."""
    lost_at: datetime | None = None
    """When it last did."""
    steady_since: datetime | None = None
    """Since when it has had a pod again after a loss; absent while it has none, and before any loss."""
    display: str = ""
    """The step and the number of steps, for `kubectl get`."""
