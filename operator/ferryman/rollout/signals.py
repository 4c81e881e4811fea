"""What just became true: an ordered list of named claims about the world.

`machine.py` acts on the first that holds and that the phase listens to.

Danger comes first, then what people told, then the wishes of the spec, then progress. The order *is* the policy: a
candidate that is both broken and wanted at 100 % is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from ferryman.api.conditions import Reason
from ferryman.api.status import Phase
from ferryman.rollout import capacity, intent, stability, steps, traffic, verbs
from ferryman.rollout.record import World
from ferryman.rollout.verbs import Verb


class Signal(StrEnum):
    """What can move a rollout."""

    RETURNED = "Returned"
    """The spec asks for the stable revision again."""
    CANDIDATE_LOST = "CandidateLost"
    """The candidate's pods are gone."""
    TRAFFIC_MOVED = "TrafficMoved"
    """The route was observed to give everything to the candidate."""
    ABORT_TOLD = "AbortTold"
    """A person aborts the candidate."""
    ROLLBACK_TOLD = "RollbackTold"
    """A person goes back to a revision that was stable before."""
    PAUSE_TOLD = "PauseTold"
    """A person holds the candidate at the share that it has."""
    RETRY_TOLD = "RetryTold"
    """A person lets a rejected or withdrawn revision start anew."""
    PROMOTE_TOLD = "PromoteTold"
    """A person wants the candidate to have everything."""
    RESUME_TOLD = "ResumeTold"
    """A person ends a pause."""
    REFUSED = "Refused"
    """A person told something that cannot be done; it is written down."""
    WITHDRAWN = "Withdrawn"
    """The spec took a candidate that had traffic back to 0."""
    UNSTABLE = "Unstable"
    """The candidate lost all its pods too often."""
    DEADLINE_PASSED = "DeadlinePassed"
    """The candidate was not ready in time."""
    CANDIDATE_NAMED = "CandidateNamed"
    """The spec asks for a revision that is neither stable nor candidate."""
    FIRST_SERVES = "FirstServes"
    """The first revision is ready, and nothing served before it."""
    STEP_PASSED = "StepPassed"
    """The gate of the step that is under way has opened."""
    PROMOTION_WANTED = "PromotionWanted"
    """A candidate that is to have everything has the pods for it."""
    TRAFFIC_WANTED = "TrafficWanted"
    """A candidate that is to have a share has the pods for it, or, where there is no room for two, for some of it."""
    MIRROR_WANTED = "MirrorWanted"
    """A candidate that is to be mirrored to has the pods for it."""
    DARK_WANTED = "DarkWanted"
    """The candidate is to be ready and unrouted, and it is."""
    ROLLED_BACK = "RolledBack"
    """Everything that was on its way out is gone."""


FINAL = frozenset(
    {
        Reason.ARTIFACT_NOT_FOUND,
        Reason.ARTIFACT_CORRUPT,
        Reason.ARTIFACT_FORBIDDEN,
        Reason.UNTRUSTED_FORMAT,
        Reason.UNKNOWN_FORMAT,
        Reason.LOAD_FAILED,
        Reason.WARMUP_FAILED,
        Reason.IMAGE_PULL_FAILED,
        Reason.OUT_OF_MEMORY,
        Reason.QUOTA_EXCEEDED,
        Reason.POD_REFUSED,
        Reason.SECRET_MISSING,
        Reason.CRASHING,
        Reason.CRASHED,
    }
)
"""Obstacles that are not waited out while nothing serves."""


def returned(world: World) -> bool:
    """The spec asks for the stable revision again while another is being rolled out."""
    record, wish = world.record, world.wish
    if record.candidate is None or record.stable is None or wish is None:
        return False
    rejected = record.rejected is not None and record.rejected.revision == wish.revision
    return wish.revision == record.stable.revision and not rejected


def withdrawn(world: World) -> bool:
    """The spec says 0 of a candidate that had live traffic."""
    candidate = world.record.candidate
    return (
        world.record.stable is not None
        and candidate is not None
        and candidate.served
        and not candidate_named(world)
        and intent.takes_back(world)
    )


def unstable(world: World) -> bool:
    """A candidate beside a stable revision was lost too often."""
    return world.record.stable is not None and world.record.candidate is not None and stability.hopeless(world)


def deadline_passed(world: World) -> bool:
    """A candidate beside a stable revision is still starting after the deadline.

    While stable's only pod is stopped for it, whatever time will not cure is not waited for.
    """
    record = world.record
    if record.phase is not Phase.STARTING or record.candidate is None or candidate_named(world):
        return False
    if record.run is not None and record.run.held_since is not None:
        return False
    obstacle = world.backend(record.candidate).obstacle
    if capacity.stopped(world) and obstacle is not None and obstacle.reason in FINAL:
        return True
    return world.now - record.candidate.since >= timedelta(seconds=world.rollout.deadline_seconds)


def candidate_lost(world: World) -> bool:
    """A candidate that was past its start has no available pod left."""
    return (
        world.record.phase in traffic.REACHABLE
        and world.record.candidate is not None
        and world.backend(world.record.candidate).available == 0
    )


def candidate_named(world: World) -> bool:
    """The spec asks for a revision that is not under way, was not rejected and is not held at 0."""
    if world.wish is None:
        return False
    known = {revision.revision for revision in (world.record.stable, world.record.candidate) if revision}
    return world.wish.revision not in known and not held(world)


def held(world: World) -> bool:
    """The wished revision was rejected, or withdrawn by a number that has not moved."""
    record, wish = world.record, world.wish
    if wish is None:
        return False
    if record.rejected is not None and record.rejected.revision == wish.revision:
        return True
    return record.withdrawn == wish.revision and intent.number(world.rollout) == 0


def first_serves(world: World) -> bool:
    """The first revision has an available pod and an address."""
    candidate = world.record.candidate
    backend = world.backend(candidate)
    return world.record.stable is None and candidate is not None and backend.addressed and backend.available > 0


def traffic_moved(world: World) -> bool:
    """The route, or without Istio the decision alone, gives everything to the candidate."""
    if world.record.phase is not Phase.PROMOTING or world.record.candidate is None:
        return False
    if not world.observed.mesh:
        return intent.wanted(world).traffic == 100 and traffic.carries(world, world.record.candidate)
    return traffic.observed_weight(world, world.record.candidate) == 100


def promotion_wanted(world: World) -> bool:
    """A candidate that is to have everything can carry it."""
    candidate = world.record.candidate
    return candidate is not None and _may_have(world) and traffic.reachable(world, candidate) == 100


def traffic_wanted(world: World) -> bool:
    """A candidate that is to have a share can carry it, or can keep some of what it has."""
    candidate = world.record.candidate
    if candidate is None or not world.observed.mesh or not _may_have(world):
        return False
    want = intent.wanted(world).traffic
    return (want < 100 or intent.no_surge(world)) and 0 < traffic.reachable(world, candidate) < 100


def mirror_wanted(world: World) -> bool:
    """A candidate that is to be mirrored to can carry the copy."""
    candidate = world.record.candidate
    wants = world.observed.mesh and intent.wanted(world).mirror > 0
    return wants and candidate is not None and _may_have(world) and traffic.carries(world, candidate)


def dark_wanted(world: World) -> bool:
    """The candidate is ready, and there is nothing to route to it."""
    candidate, want = world.record.candidate, intent.wanted(world)
    unrouted = want.share == 0 or (not world.observed.mesh and want.traffic < 100)
    return unrouted and candidate is not None and _may_have(world) and traffic.carries(world, candidate)


def rolled_back(world: World) -> bool:
    """Nothing is left on its way out."""
    return not world.record.retiring


def _may_have(world: World) -> bool:
    """The candidate is beside a stable revision, and the spec does not ask for another one."""
    return world.record.stable is not None and not candidate_named(world)


ORDER: tuple[tuple[Signal, Callable[[World], bool]], ...] = (
    # danger, and a return, which ends a run at once
    (Signal.RETURNED, returned),
    (Signal.CANDIDATE_LOST, candidate_lost),
    # a move that the route already made is recorded before a new wish is looked at
    (Signal.TRAFFIC_MOVED, traffic_moved),
    # what people told
    (Signal.ABORT_TOLD, verbs.told(Verb.ABORT)),
    (Signal.ROLLBACK_TOLD, verbs.told(Verb.ROLLBACK)),
    (Signal.PAUSE_TOLD, verbs.told(Verb.PAUSE)),
    (Signal.RETRY_TOLD, verbs.told(Verb.RETRY)),
    (Signal.PROMOTE_TOLD, verbs.told(Verb.PROMOTE)),
    (Signal.RESUME_TOLD, verbs.told(Verb.RESUME)),
    (Signal.REFUSED, verbs.refused),
    # wishes that end a run
    (Signal.WITHDRAWN, withdrawn),
    (Signal.UNSTABLE, unstable),
    (Signal.DEADLINE_PASSED, deadline_passed),
    (Signal.CANDIDATE_NAMED, candidate_named),
    # wishes for the candidate
    (Signal.FIRST_SERVES, first_serves),
    (Signal.STEP_PASSED, steps.passed),
    (Signal.PROMOTION_WANTED, promotion_wanted),
    (Signal.TRAFFIC_WANTED, traffic_wanted),
    (Signal.MIRROR_WANTED, mirror_wanted),
    (Signal.DARK_WANTED, dark_wanted),
    # progress
    (Signal.ROLLED_BACK, rolled_back),
)
