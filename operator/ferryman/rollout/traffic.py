"""The only place where weights exist.

What holds for every split: weights are whole and sum to 100; a revision without available pods gets none; weight
rises only when the pods for the new weight are available, and falls at once; a revision is never mirrored to and
weighted at the same time; a rollback is one step, not a ramp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ferryman.api.revision import Revision
from ferryman.api.status import Phase
from ferryman.rollout import capacity, challengers, intent, stability
from ferryman.rollout.record import World

WEIGHTED = frozenset({Phase.CANARY, Phase.PROMOTING})
"""The phases in which a candidate may have live traffic."""

REACHABLE = WEIGHTED | {Phase.DARK, Phase.SHADOWING}
"""The phases in which chosen requests may go to the candidate."""


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets how much of live traffic, in percent, to whom it is mirrored, and who gets chosen requests."""

    stable: str
    candidate: str | None = None
    candidate_weight: int = 0
    mirror_percent: int = 0
    """The candidate's."""
    matched: bool = False
    """The requests that the spec's match chooses go to the candidate."""
    challenger: str | None = None
    challenger_percent: int = 0

    @property
    def stable_weight(self) -> int:
        """Return the stable revision's share."""
        return 100 - self.candidate_weight

    @property
    def mirrors(self) -> dict[str, int]:
        """Return the mirrored shares by revision."""
        shares = ((self.candidate, self.mirror_percent), (self.challenger, self.challenger_percent))
        return {revision: share for revision, share in shares if revision is not None and share > 0}


def carries(world: World, candidate: Revision) -> bool:
    """Tell whether the candidate has the pods, the address and the calm for what it is to have."""
    backend = world.backend(candidate)
    enough = backend.available >= capacity.needed(world, intent.wanted(world))
    return backend.addressed and enough and _trusted(world) and capacity.held(world) is None


def reachable(world: World, candidate: Revision) -> int:
    """Return the share that the candidate may have now, at most what it is to have.

    Without the pods for that it keeps the share it has; where there is no room for two, it gets the share that its
    pods are of all pods.
    """
    backend, want = world.backend(candidate), intent.wanted(world).traffic
    if not backend.addressed or backend.available == 0 or not _trusted(world):
        return 0
    if carries(world, candidate):
        return want
    has = min(want, observed_weight(world, candidate)) if world.record.phase in WEIGHTED else 0
    if intent.no_surge(world) and world.observed.mesh and capacity.held(world) is None:
        return max(has, min(want, 100 * backend.available // capacity.full(world)))
    return has


def _trusted(world: World) -> bool:
    return world.record.phase is not Phase.STARTING or stability.steady(world)


def observed_weight(world: World, revision: Revision | None) -> int:
    """Return the share that the route gives a revision now."""
    return capacity.weight(world, revision.revision) if revision is not None else 0


def split(world: World) -> Split | None:
    """Return the split that holds from now on; None while no revision may serve."""
    record = world.record
    if record.stable is None:
        return None
    challenger, copied = challengers.mirrored(world)
    alone = Split(record.stable.revision, challenger=challenger, challenger_percent=copied)
    candidate = record.candidate
    if candidate is None or world.backend(candidate).available == 0 or record.phase not in REACHABLE:
        return alone
    matched = bool(world.rollout.canary and world.rollout.canary.match) and world.backend(candidate).addressed
    weight = reachable(world, candidate) if record.phase in WEIGHTED else 0
    mirror = intent.wanted(world).mirror if record.phase is Phase.SHADOWING else 0
    mirror = mirror if world.backend(candidate).addressed else 0
    named = candidate.revision if weight or mirror or matched else None
    return replace(alone, candidate=named, candidate_weight=weight, mirror_percent=mirror, matched=matched)
