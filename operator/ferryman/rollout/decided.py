"""What one look has decided, before it is put into objects and words."""

from __future__ import annotations

from dataclasses import dataclass

from ferryman.rollout.record import Record, World
from ferryman.rollout.retirement import Delays
from ferryman.rollout.signals import Signal
from ferryman.rollout.traffic import Split


@dataclass(frozen=True, slots=True)
class Decided:
    """A step of the rollout, or none, and the split that holds from now on."""

    before: Record
    signal: Signal | None
    """What caused the step; None when none was taken."""
    world: World
    """The world with the record after the step."""
    split: Split | None
    """Who gets what; None while no revision may serve."""
    delays: Delays
