"""What passes between the operator and the apiserver: one look with what it decided, and each of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ferryman.api.revision import ResolvedModel
from ferryman.observed import Observed
from ferryman.outcome import Plan, Resource, Unresolved

Key = tuple[str, str]
"""A child's kind and name."""

GUARDED = frozenset({"VirtualService", "Service"})
"""Kinds that are written only onto the version that was seen, as in `cluster/apply.py`."""


class KilledError(Exception):
    """The operator died between two writes."""


def key_of(body: dict[str, Any]) -> Key:
    return body["kind"], body["metadata"]["name"]


@dataclass(frozen=True)
class Look:
    """What one look saw, and what it decided."""

    resource: Resource
    resolved: ResolvedModel | Unresolved
    observed: Observed
    now: datetime
    children: dict[Key, dict[str, Any]]
    uids: dict[Key, int]
    versions: dict[Key, int]
    plan: Plan

    @property
    def version(self) -> str:
        """Return the ModelDeployment's resourceVersion that was seen."""
        return self.resource.meta.resource_version


@dataclass(frozen=True)
class Write:
    """One request to the apiserver, with its precondition."""

    verb: Literal["status", "apply", "scale", "delete"]
    kind: str
    name: str
    body: Any
    look: Look
    uid: int | None = None
    version: str | None = None
