"""What just became true: an ordered list of named claims about the world.

`machine.py` acts on the first that holds and that the phase listens to.

Danger comes first, then the wishes of the spec, then progress. The order *is* the policy: a candidate that is both
broken and wanted at 100 % is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from ferryman.api.status import Phase
from ferryman.rollout import traffic
from ferryman.rollout.record import World


class Signal(StrEnum):
    """What can move a rollout."""

    RETURNED = "Returned"
    """The spec asks for the stable revision again."""
    WITHDRAWN = "Withdrawn"
    """The spec took a candidate that had traffic back to 0."""
    DEADLINE_PASSED = "DeadlinePassed"
    """The candidate was not ready in time."""
    CANDIDATE_LOST = "CandidateLost"
    """The candidate's pods are gone."""
    CANDIDATE_NAMED = "CandidateNamed"
    """The spec asks for a revision that is neither stable nor candidate."""
    FIRST_SERVES = "FirstServes"
    """The first revision is ready, and nothing served before it."""
    TRAFFIC_MOVED = "TrafficMoved"
    """The route was observed to give everything to the candidate."""
    PROMOTION_WANTED = "PromotionWanted"
    """The spec gives everything to a candidate that has the pods for it."""
    TRAFFIC_WANTED = "TrafficWanted"
    """The spec gives a share to a candidate that has the pods for it."""
    MIRROR_WANTED = "MirrorWanted"
    """The spec mirrors traffic to a candidate that has the pods for it."""
    DARK_WANTED = "DarkWanted"
    """The spec wants the candidate ready and unrouted, and it is."""
    ROLLED_BACK = "RolledBack"
    """Everything that was on its way out is gone."""


def returned(world: World) -> bool:
    """The spec asks for the stable revision again while another is being rolled out."""
    record = world.record
    return (
        record.candidate is not None
        and record.stable is not None
        and world.wish is not None
        and world.wish.revision == record.stable.revision
    )


def withdrawn(world: World) -> bool:
    """The spec says 0 of a candidate that had live traffic."""
    candidate = world.record.candidate
    return (
        world.record.stable is not None
        and candidate is not None
        and candidate.served
        and not _another_is_wished(world)
        and traffic.target(world.rollout) == 0
    )


def deadline_passed(world: World) -> bool:
    """A candidate beside a stable revision is still starting after the deadline."""
    candidate = world.record.candidate
    return (
        world.record.phase is Phase.STARTING
        and candidate is not None
        and not _another_is_wished(world)
        and world.now - candidate.since >= timedelta(seconds=world.rollout.deadline_seconds)
    )


def candidate_lost(world: World) -> bool:
    """A candidate that was past its start has no available pod left."""
    return (
        world.record.phase in traffic.WEIGHTED | {Phase.SHADOWING, Phase.DARK}
        and world.record.candidate is not None
        and world.backend(world.record.candidate).available == 0
    )


def candidate_named(world: World) -> bool:
    """The spec asks for a revision that is not under way, was not rejected and is not held at 0."""
    return _another_is_wished(world) and not held(world)


def held(world: World) -> bool:
    """The wished revision was rejected, or withdrawn by a number that has not moved."""
    record, wish = world.record, world.wish
    if wish is None:
        return False
    if record.rejected is not None and record.rejected.revision == wish.revision:
        return True
    return record.withdrawn == wish.revision and traffic.target(world.rollout) == 0


def first_serves(world: World) -> bool:
    """The first revision has an available pod and an address."""
    candidate = world.record.candidate
    backend = world.backend(candidate)
    return world.record.stable is None and candidate is not None and backend.addressed and backend.available > 0


def traffic_moved(world: World) -> bool:
    """The route, or without Istio the decision alone, gives everything to the candidate."""
    if world.record.phase is not Phase.PROMOTING or world.record.candidate is None:
        return False
    return not world.observed.mesh or traffic.observed_weight(world, world.record.candidate) == 100


def promotion_wanted(world: World) -> bool:
    """The spec gives everything to a candidate that can carry it."""
    return _can_have(world, wanted=traffic.target(world.rollout), least=100, most=100)


def traffic_wanted(world: World) -> bool:
    """The spec gives a share to a candidate that can carry it, or can keep some of what it has."""
    return world.observed.mesh and _can_have(world, wanted=traffic.target(world.rollout), least=1, most=99)


def mirror_wanted(world: World) -> bool:
    """The spec mirrors to a candidate that can carry the copy."""
    return world.observed.mesh and _can_have(world, wanted=traffic.mirror_target(world.rollout), least=1, most=100)


def dark_wanted(world: World) -> bool:
    """The candidate is ready, and there is nothing to route to it."""
    candidate = world.record.candidate
    unrouted = traffic.target(world.rollout) == 0 and traffic.mirror_target(world.rollout) == 0
    impossible = not world.observed.mesh and traffic.target(world.rollout) < 100
    return (unrouted or impossible) and candidate is not None and traffic.carries(world, candidate, 1)


def rolled_back(world: World) -> bool:
    """Nothing is left on its way out."""
    return not world.record.retiring


def _another_is_wished(world: World) -> bool:
    if world.wish is None:
        return False
    known = {revision.revision for revision in (world.record.stable, world.record.candidate) if revision}
    return world.wish.revision not in known


def _can_have(world: World, wanted: int, least: int, most: int) -> bool:
    candidate = world.record.candidate
    return (
        world.record.stable is not None
        and candidate is not None
        and not _another_is_wished(world)
        and least <= wanted <= most
        and traffic.carries(world, candidate, wanted)
    )


ORDER: tuple[tuple[Signal, Callable[[World], bool]], ...] = (
    # danger, and wishes that end a run
    (Signal.RETURNED, returned),
    (Signal.CANDIDATE_LOST, candidate_lost),
    # a move that the route already made is recorded before a new wish is looked at
    (Signal.TRAFFIC_MOVED, traffic_moved),
    (Signal.WITHDRAWN, withdrawn),
    (Signal.DEADLINE_PASSED, deadline_passed),
    (Signal.CANDIDATE_NAMED, candidate_named),
    # wishes for the candidate
    (Signal.FIRST_SERVES, first_serves),
    (Signal.PROMOTION_WANTED, promotion_wanted),
    (Signal.TRAFFIC_WANTED, traffic_wanted),
    (Signal.MIRROR_WANTED, mirror_wanted),
    (Signal.DARK_WANTED, dark_wanted),
    # progress
    (Signal.ROLLED_BACK, rolled_back),
)
