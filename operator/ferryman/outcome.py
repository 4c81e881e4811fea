"""What a decision is made of and what comes out of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.status import ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Resource:
    """A ModelDeployment as it was read: what identifies it, what is wished for, what was decided before."""

    meta: ObjectMeta
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Unresolved:
    """It is not known which bytes the spec's model URI means, and why not."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should hear of: an Event on the ModelDeployment."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reconcile does, in this order: status, objects, removals, notices."""

    status: ModelDeploymentStatus
    """Written first, with the resourceVersion it was decided on, and only if it differs from what stands."""
    objects: tuple[dict[str, Any], ...]
    """Applied in order; each is skipped when what lives already says the same."""
    removals: tuple[dict[str, Any], ...]
    """Owned children to delete, in order, with their UID as precondition."""
    notices: tuple[Notice, ...]
    """Published after the writes."""
    wake_after: float | None
    """In how many seconds to look again even if nothing happens; None when only an event can change anything."""
