"""Why a look could not be carried through, as `Ready` tells it. Pure.

What the apiserver refuses is told at once; what it may do at the next attempt is told when that has not helped for a
while. The facts about what serves stay as they are: a write that failed takes nothing from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ferryman.api.conditions import Condition, ConditionType, Reason, Status
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import errors

AT_ONCE = 0.0
SOON = 5.0
LATE = 30.0
"""Seconds of failures in a row before one is told. Writers that meet now and then make way for each other."""

MOST = 1024
"""Characters of a message: an apiserver can be very thorough about what it does not like."""

_ALL = "; ask the cluster's admins which policy refuses it"
_NEXT_MOVES: tuple[tuple[type[Exception], str, Reason, str], ...] = (
    (
        errors.ClusterError,
        "exceeded quota|failed quota",
        Reason.QUOTA_EXCEEDED,
        "{said}; raise the namespace's ResourceQuota, or delete what it is spent on",
    ),
    (errors.ClusterError, "denied the request|denied request", Reason.ADMISSION_DENIED, "{said}" + _ALL),
    (
        errors.Forbidden,
        r'User "[^"]*" cannot',
        Reason.PERMISSION_DENIED,
        "{said}; give the operator's role the rights that its chart asks for",
    ),
    (errors.Forbidden, "", Reason.ADMISSION_DENIED, "{said}" + _ALL),
    (errors.Invalid, "", Reason.OBJECT_INVALID, "{said}; change the spec, or ask the cluster's admins"),
    (errors.NameConflict, "", Reason.NAME_CONFLICT, "{said}"),
    (errors.Conflict, "", Reason.CONTENDED, "{said}; see its managedFields for who else writes it"),
    (errors.ClusterError, "", Reason.API_UNAVAILABLE, "{said}; it is tried again"),
    (TimeoutError, "", Reason.API_UNAVAILABLE, "the apiserver's answers take too long; it is asked again"),
    (Exception, "", Reason.OPERATOR_FAILED, "the operator failed with {kind}; its log says more"),
)
"""Which error, what the apiserver says, what that means, and what to do; the first that fits."""

_PATIENCE = {Reason.API_UNAVAILABLE: SOON, Reason.OPERATOR_FAILED: SOON, Reason.CONTENDED: LATE}
REASONS = frozenset(reason for _, _, reason, _ in _NEXT_MOVES)


@dataclass(frozen=True, slots=True)
class Setback:
    """What kept a look from being carried through."""

    reason: Reason
    message: str

    @property
    def patience(self) -> float:
        """Return for how many seconds it is to last before it is told."""
        return _PATIENCE.get(self.reason, AT_ONCE)

    @property
    def refused(self) -> bool:
        """Tell whether the apiserver said no, rather than nothing."""
        return self.patience == AT_ONCE

    @property
    def _status(self) -> Status:
        return "False" if self.refused else "Unknown"

    def on(self, status: ModelDeploymentStatus, generation: int, now: datetime) -> ModelDeploymentStatus:
        """Return the status with `Ready` telling the setback; its clock moves only if `Ready` had another status."""
        before = _ready(status)
        unmoved = before is not None and before.status == self._status
        ready = Condition(
            type=ConditionType.READY,
            status=self._status,
            reason=self.reason.value,
            message=self.message,
            observed_generation=generation,
            last_transition_time=before.last_transition_time if before and unmoved else now.replace(microsecond=0),
        )
        return _with(status, ready)

    def stands(self, status: ModelDeploymentStatus, generation: int) -> bool:
        """Tell whether a status tells the setback already, be it in other words."""
        ready = _ready(status)
        return ready is not None and (ready.reason, ready.observed_generation) == (self.reason.value, generation)


def of(error: Exception) -> Setback:
    """Return what an error means to people."""
    said = _said(error)
    reason, sentence = next(
        (reason, move)
        for kind, words, reason, move in _NEXT_MOVES
        if isinstance(error, kind) and re.search(words, said)
    )
    return Setback(reason, sentence.format(said=said[:MOST], kind=type(error).__name__))


def told(status: ModelDeploymentStatus) -> Reason | None:
    """Return the setback that a status tells, unless another of its conditions says the same of the pods."""
    ready = _ready(status)
    if ready is None or ready.reason not in REASONS:
        return None
    others = {claim.reason for claim in status.conditions if claim.type is not ConditionType.READY}
    return Reason(ready.reason) if ready.reason not in others else None


def kept(status: ModelDeploymentStatus, standing: ModelDeploymentStatus, generation: int) -> ModelDeploymentStatus:
    """Return a status that goes on telling the setback which the standing one tells: nobody knows better yet."""
    ready = _ready(standing)
    if ready is None or told(standing) is None:
        return status
    return _with(status, ready.model_copy(update={"observed_generation": generation}))


def _ready(status: ModelDeploymentStatus) -> Condition | None:
    return next((claim for claim in status.conditions if claim.type is ConditionType.READY), None)


def _with(status: ModelDeploymentStatus, ready: Condition) -> ModelDeploymentStatus:
    others = [claim for claim in status.conditions if claim.type is not ConditionType.READY]
    return status.model_copy(update={"reason": ready.reason, "conditions": [*others, ready]})


def _said(error: Exception) -> str:
    if not isinstance(error, errors.ClusterError):
        return ""
    return f"{error.verb} {error.kind} {error.name}".rstrip() + f": {error.detail}"
