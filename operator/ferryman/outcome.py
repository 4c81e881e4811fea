"""What a decision is made of and what comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    verbs: Mapping[str, str] = field(default_factory=dict)
    """The `ferryman.dev/` annotations without their prefix: what people told the operator to do."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """It is not known which bytes the spec's model URI means, and why not."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that a version in the registry is to bear."""

    model: str
    version: str
    key: str
    value: str
    registry: str | None = None
    """The tracking server, where it is not the installation's own."""
    parting: bool = False
    """Said of a version that does not serve any more: if it is gone, there is nobody left to tell it of."""

    @property
    def said(self) -> str:
        """Return it in words, by which it is known again."""
        return f"models:/{self.model}/{self.version} {self.key}: {self.value}{_at(self.registry)}"


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias that is to stand for a version in the registry."""

    model: str
    alias: str
    version: str
    instead_of: str | None = None
    """The version that it must stand for now; where it stands for another it is left alone."""
    registry: str | None = None
    """The tracking server, where it is not the installation's own."""

    @property
    def said(self) -> str:
        """Return it in words, by which it is known again."""
        instead = f" instead of {self.instead_of}" if self.instead_of is not None else ""
        return f"models:/{self.model}@{self.alias} is {self.version}{instead}{_at(self.registry)}"


Entry = Tag | Alias


def _at(registry: str | None) -> str:
    return f" at {registry}" if registry is not None else ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the registry was told since the status was last written."""

    done: frozenset[str] = frozenset()
    """The entries that it has taken, in words."""
    failure: Unresolved | None = None
    """What kept it from taking the next one."""


NOTHING_TOLD = Told()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should hear of: an Event on the ModelDeployment."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A Deployment that is to have another number of pods, set as an autoscaler would set it."""

    deployment: str
    replicas: int
    seen: str | None = None
    """The resourceVersion that it was decided on; given when pods are taken away: nothing may have overtaken that."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reconcile does, in this order: status, objects, scales, removals, notices."""

    status: ModelDeploymentStatus
    """Written first, with the resourceVersion it was decided on, and only if it differs from what stands."""
    objects: tuple[dict[str, Any], ...]
    """Applied in order; each is skipped when what lives already says the same."""
    scales: tuple[Scale, ...]
    """Numbers of pods to set, after the objects; a Deployment that is not there yet is left for the next look."""
    removals: tuple[dict[str, Any], ...]
    """Owned children to delete, in order, with their UID as precondition."""
    notices: tuple[Notice, ...]
    """Published after the writes."""
    entries: tuple[Entry, ...]
    """What the registry is still to be told, after everything else, and beside it."""
    wake_after: float | None
    """In how many seconds to look again even if nothing happens; None when only an event can change anything."""
