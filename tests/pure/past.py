"""What a promise about time or order has to remember: it is told of everything that happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pure.looks import Look, Write
from pure.view import View

from ferryman.api.status import ModelDeploymentStatus

if TYPE_CHECKING:
    from pure.simulation import Cluster


@dataclass(frozen=True)
class Past:
    """What a promise about time or order has to remember. Nothing in it is ever changed in place."""

    status: ModelDeploymentStatus | None = None
    """The status as the operator wrote it last."""
    clocked: bool = True
    """No one else wrote the status, so that its clocks can be held against these."""
    shown: Mapping[tuple[datetime, int], datetime] = field(default_factory=dict)
    """When a look first saw the share of a step, by the run's beginning and the step."""
    begun: datetime | None = None
    """When the candidate began to start, for the first time or after its last loss."""
    kept: frozenset[str] = frozenset()
    """What was rejected when a look was last carried out whole, so that a wiped status must still know it."""
    rejected: frozenset[str] = frozenset()
    """The revisions that may not be a candidate until the spec names another or a person tells."""


def asked_of(past: Past, _cluster: Cluster, sections: Mapping[str, Any]) -> Past:
    """The user changed the spec; one that names another revision forgives."""
    return replace(past, rejected=frozenset()) if sections.keys() & {"model", "server"} else past


def told_of(past: Past, verb: str, value: str | None) -> Past:
    """A person told something."""
    if value is None or not value.split() or verb not in ("retry", "rollback"):
        return past
    forgiven = {value.split()[0]} if verb == "retry" else past.rejected
    return replace(past, rejected=past.rejected - forgiven)


def carried_out(past: Past, look: Look) -> Past:
    """Every request of a look was granted: what it decided is remembered by the children, too."""
    rejected = look.plan.status.rejected
    return replace(past, kept=frozenset() if rejected is None else frozenset({rejected.revision}))


def wiped(past: Past, cluster: Cluster) -> Past:
    """The status is gone; what the children do not remember yet is lost with it."""
    front = cluster.children.get(("Service", "fraud"))
    memory = cluster.memory(front) if front is not None else None
    last = past.status.candidate if past.status is not None else None
    candidate = memory.candidate if memory is not None else None
    same = candidate is not None and last is not None and candidate.since == last.since
    rejected = past.rejected & past.kept if front is not None else frozenset[str]()
    return replace(past, status=cluster.status, rejected=rejected, begun=past.begun if same else None)


def set_back(past: Past, by: timedelta) -> Past:
    """The clock was set back; what it has shown so far counts as before."""
    shown = {step: since - by for step, since in past.shown.items()}
    return replace(past, shown=shown, begun=past.begun - by if past.begun is not None else None)


def recorded(past: Past, write: Write, now: datetime) -> Past:
    """A status stands."""
    old, new = write.look.resource.status, write.body
    known = old.stable is None or (old.rejected is not None and new.rejected == old.rejected)
    newly = {new.rejected.revision} if new.rejected is not None and not known else set()
    begins = new.candidate is not None and new.candidate.since == write.look.now
    return replace(
        past,
        status=new,
        shown=_shown(past, write),
        begun=min(write.look.now, now) if begins else past.begun,
        rejected=past.rejected | newly,
    )


def watched(past: Past, view: View) -> Past:
    """Remember when the share of the step that is under way was first seen."""
    shown = dict(past.shown)
    for run in (view.before.run, view.after.run):
        if run is not None and run.steps and view.shows(run):
            shown.setdefault((run.started, run.step), view.look.now)
    return replace(past, shown=shown)


def _shown(past: Past, write: Write) -> Mapping[tuple[datetime, int], datetime]:
    """A loss and another plan begin anew, once they are recorded: what a look saw and lost was never seen."""
    old, new = write.look.resource.status.run, write.body.run
    if old is None or new is None or (old.lost_at == new.lost_at and old.steps == new.steps):
        return past.shown
    seen = bool(new.steps) and View(write.look).shows(new)
    return {(new.started, new.step): write.look.now} if seen else {}
