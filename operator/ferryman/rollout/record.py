"""The operator's memory: the decisions that no look at the spec or the cluster could recompute.

A record is read from status, stepped once by `machine.advance`, and written back before anything follows from it.
`World` is a record together with everything else that a step may look at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ferryman.api.modeldeployment import Rollout, Scaling
from ferryman.api.status import (
    ModelDeploymentStatus,
    Phase,
    Rejected,
    Retiring,
    Revision,
)
from ferryman.observed import Backend, Observed


@dataclass(frozen=True, slots=True)
class Record:
    """What was decided."""

    phase: Phase = Phase.PENDING
    stable: Revision | None = None
    candidate: Revision | None = None
    retiring: tuple[Retiring, ...] = ()
    rejected: Rejected | None = None
    withdrawn: str | None = None

    def revisions(self) -> tuple[Revision, ...]:
        """Return every revision that may have pods: stable, candidate, and those that leave."""
        serving = tuple(revision for revision in (self.stable, self.candidate) if revision is not None)
        return serving + tuple(leaving.revision for leaving in self.retiring)

    def retire(self, revision: Revision) -> Record:
        """Send a revision on its way out; its clock starts when the route is seen without it."""
        staying = tuple(leaving for leaving in self.retiring if leaving.revision.revision != revision.revision)
        return replace(self, retiring=(*staying, Retiring(revision=revision)))


def from_status(status: ModelDeploymentStatus) -> Record:
    """Read the decisions out of a status."""
    return Record(
        phase=status.phase or Phase.PENDING,
        stable=status.stable,
        candidate=status.candidate,
        retiring=tuple(status.retiring),
        rejected=status.rejected,
        withdrawn=status.withdrawn,
    )


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a step of the rollout may look at."""

    record: Record
    wish: Revision | None
    """The revision that the spec asks for; None while its model is not resolved."""
    rollout: Rollout
    scaling: Scaling
    observed: Observed
    now: datetime

    def backend(self, revision: Revision | None) -> Backend:
        """Return what was seen of a revision; an empty record for none."""
        return self.observed.backend(revision.revision if revision is not None else "")


def restored(record: Record, observed: Observed, now: datetime) -> Record:
    """Rebuild what a wiped or outdated status lost, from what the children themselves remember.

    The front Service names the stable revision, and each Deployment carries its revision's record. Revisions that
    nobody remembers having started are sent out the slow way, so that a route that still names them loses nothing.
    """
    if record.stable is None and observed.front is not None:
        found = observed.backend(observed.front).record
        if found is not None and (record.candidate is None or record.candidate.revision != found.revision):
            record = replace(record, stable=found, phase=Phase.STABLE if record.candidate is None else record.phase)
    known = {revision.revision for revision in record.revisions()}
    for backend in observed.backends.values():
        if backend.revision not in known and backend.record is not None:
            record = record.retire(backend.record)
    return record
