"""The operator's memory: the decisions that no look at the spec or the cluster could recompute.

A record is read from status, stepped once by `machine.advance`, and written back before anything follows from it.
`World` is a record together with everything else that a step may look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ferryman.api.journal import Command, LastRollout
from ferryman.api.revision import Rejected, Retiring, Revision
from ferryman.api.rollout import Rollout
from ferryman.api.run import Run
from ferryman.api.scaling import Scaling
from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.observed import Backend, Observed


@dataclass(frozen=True, slots=True)
class Record:
    """What was decided."""

    phase: Phase = Phase.PENDING
    stable: Revision | None = None
    candidate: Revision | None = None
    run: Run | None = None
    """The candidate's run. It outlives the candidate until everything that left is gone."""
    challenger: Revision | None = None
    """What is mirrored to beside the rollout; neither stable nor candidate."""
    retiring: tuple[Retiring, ...] = ()
    history: tuple[Retiring, ...] = ()
    """Revisions that were stable, the latest first; one that is a candidate again keeps its place."""
    rejected: Rejected | None = None
    withdrawn: str | None = None
    commands: tuple[Command, ...] = ()
    last: LastRollout | None = None

    def revisions(self) -> tuple[Revision, ...]:
        """Return every revision that may have children, each once: those with a role, leaving, kept."""
        every = (*self.active(), *(each.revision for each in (*self.retiring, *self.history)))
        return tuple({revision.revision: revision for revision in reversed(every)}.values())[::-1]

    def active(self) -> tuple[Revision, ...]:
        """Return the revisions that have a role: stable, candidate, challenger."""
        return tuple(each for each in (self.stable, self.candidate, self.challenger) if each is not None)

    def recorded(self, name: str) -> Revision | None:
        """Return a revision as it was recorded if it leaves, is kept, or is the challenger."""
        others = () if self.challenger is None else (self.challenger,)
        known = (*(each.revision for each in (*self.retiring, *self.history)), *others)
        return next((revision for revision in known if revision.revision == name), None)

    def leave(self, revision: Revision) -> Record:
        """Let a revision go: for good, or back to its place among those that were stable.

        Its clock starts when the route is seen without it.
        """
        if self.kept(revision.revision) is not None:
            return replace(self, history=tuple(_stopped(each, revision.revision) for each in self.history))
        staying = tuple(each for each in self.retiring if each.revision.revision != revision.revision)
        return replace(self, retiring=(*staying, Retiring(revision=revision)))

    def keep(self, revision: Revision) -> Record:
        """Put a revision that was stable at the head of the history."""
        others = tuple(each for each in self.history if each.revision.revision != revision.revision)
        return replace(self, history=(Retiring(revision=revision), *others))

    def back(self, name: str) -> Record:
        """Take a revision out of those that leave for good."""
        return replace(self, retiring=tuple(each for each in self.retiring if each.revision.revision != name))

    def kept(self, name: str) -> Revision | None:
        """Return a revision of the history."""
        return next((each.revision for each in self.history if each.revision.revision == name), None)

    def with_run(self, **changes: Any) -> Record:
        """Change the run, if there is one."""
        return self if self.run is None else replace(self, run=self.run.model_copy(update=changes))

    def with_candidate(self, **changes: Any) -> Record:
        """Change the candidate, if there is one."""
        if self.candidate is None:
            return self
        return replace(self, candidate=self.candidate.model_copy(update=changes))


def _stopped(each: Retiring, name: str) -> Retiring:
    return each.model_copy(update={"unrouted_since": None}) if each.revision.revision == name else each


def from_status(status: ModelDeploymentStatus) -> Record:
    """Read the decisions out of a status."""
    return Record(
        phase=status.phase or Phase.PENDING,
        stable=status.stable,
        candidate=status.candidate,
        run=status.run,
        challenger=status.challenger,
        retiring=tuple(status.retiring),
        history=tuple(status.history),
        rejected=status.rejected,
        withdrawn=status.withdrawn,
        commands=tuple(status.commands),
        last=status.last_rollout,
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
    challenger: Revision | None = None
    """The revision that the spec wants mirrored to; None while its model is not resolved, or none is asked for."""
    breaks: tuple[str, ...] | None = None
    """What the wished revision would break for those who call stable; None while nobody can tell."""
    verbs: Mapping[str, str] = field(default_factory=dict)
    """What people told the operator in annotations, by verb."""

    def backend(self, revision: Revision | None) -> Backend:
        """Return what was seen of a revision; an empty record for none."""
        return self.observed.backend(revision.revision if revision is not None else "")
