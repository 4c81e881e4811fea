"""The one pure decision: everything that is known in, everything that is to be done out.

No clock, network, log or client stands below this module; time and settings arrive as arguments, and the next time to
look comes back as a result. Effects follow from the record in the returned status, which is written first: so a crash
between any two writes ends where a run without it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.status import ModelDeploymentStatus, ResolvedModel
from ferryman.observed import Observed
from ferryman.settings import Settings


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


def plan(
    resource: Resource,
    observed: Observed,
    resolved: ResolvedModel | Unresolved,
    settings: Settings,
    now: datetime,
) -> Plan:
    """Decide what is to be done for one ModelDeployment."""
    raise NotImplementedError
