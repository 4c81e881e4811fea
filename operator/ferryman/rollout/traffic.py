"""The only place where weights exist.

What holds for every split: weights are whole and sum to 100; a revision without available pods gets none; weight
rises only when the pods for the new weight are available, and falls at once; a revision is never mirrored to and
weighted at the same time; a rollback is one step, not a ramp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ferryman.api.modeldeployment import Rollout
from ferryman.api.status import Phase, Revision
from ferryman.rollout.record import World

WEIGHTED = frozenset({Phase.CANARY, Phase.PROMOTING})
"""The phases in which a candidate may have live traffic."""


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets how much of live traffic, in percent, and to whom it is mirrored."""

    stable: str
    candidate: str | None = None
    candidate_weight: int = 0
    mirror_percent: int = 0

    @property
    def stable_weight(self) -> int:
        """Return the stable revision's share."""
        return 100 - self.candidate_weight

    def weight(self, revision: str) -> int:
        """Return a revision's share; 0 for one that is not part of the split."""
        if revision == self.stable:
            return self.stable_weight
        return self.candidate_weight if revision == self.candidate else 0


def target(rollout: Rollout) -> int:
    """Return the share that the spec wants for a candidate: 100 where it says nothing of traffic or shadow."""
    if rollout.canary is not None:
        return rollout.canary.traffic_percent
    return 0 if rollout.shadow is not None else 100


def mirror_target(rollout: Rollout) -> int:
    """Return the share that the spec wants mirrored while the candidate has no weight."""
    return rollout.shadow.percent if rollout.shadow is not None and target(rollout) == 0 else 0


def pods_for(world: World, percent: int) -> int:
    """Return how many pods a candidate needs for a share of what the stable revision carries now; at least one."""
    stable = world.backend(world.record.stable)
    full = min(max(world.scaling.min_replicas, stable.desired), world.scaling.max_replicas)
    return max(1, math.ceil(full * percent / 100))


def carries(world: World, candidate: Revision, percent: int) -> bool:
    """Tell whether the candidate has the pods, and the address, for a share of traffic."""
    backend = world.backend(candidate)
    return backend.addressed and backend.available >= pods_for(world, percent)


def observed_weight(world: World, revision: Revision | None) -> int:
    """Return the share that the route gives a revision now."""
    route = world.observed.route
    return route.weights.get(revision.revision, 0) if route is not None and revision is not None else 0


def split(world: World) -> Split | None:
    """Return the split that holds from now on; None while no revision may serve."""
    record = world.record
    if record.stable is None:
        return None
    alone = Split(stable=record.stable.revision)
    candidate = record.candidate
    if candidate is None or world.backend(candidate).available == 0:
        return alone
    if record.phase in WEIGHTED:
        return Split(
            stable=record.stable.revision,
            candidate=candidate.revision,
            candidate_weight=_weight(world, candidate),
        )
    if record.phase is Phase.SHADOWING and world.backend(candidate).addressed:
        return Split(
            stable=record.stable.revision,
            candidate=candidate.revision,
            mirror_percent=mirror_target(world.rollout),
        )
    return alone


def _weight(world: World, candidate: Revision) -> int:
    wanted = target(world.rollout) if world.record.phase is Phase.CANARY else 100
    if carries(world, candidate, wanted):
        return wanted
    return min(wanted, observed_weight(world, candidate))


def floor(world: World, revision: str) -> int:
    """Return the fewest pods that a revision's autoscaler may keep.

    It follows the larger of the share that the revision has and the share that it is meant to get, so that capacity
    comes before weight and goes after it. A revision on its way out keeps what it has until its pods are removed.
    """
    record = world.record
    if any(leaving.revision.revision == revision for leaving in record.retiring):
        return max(1, world.observed.backend(revision).desired)
    if record.stable is None or record.candidate is None or record.candidate.revision != revision:
        return world.scaling.min_replicas
    wanted = max(target(world.rollout), mirror_target(world.rollout))
    return pods_for(world, max(wanted, observed_weight(world, record.candidate)))
