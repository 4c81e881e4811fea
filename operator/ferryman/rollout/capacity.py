"""How many pods each revision is to have. The only place where pods are counted out.

Capacity comes before weight and goes after it: a candidate's floor follows the larger of the share that it has and
the share that it is to get, and stable keeps, while a run lasts, what it had when the run began. Where there is no
room for two (`NoSurge`), the pods of the run's beginning are divided, one at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ferryman.api.conditions import Reason
from ferryman.api.run import RunKind
from ferryman.api.status import Phase
from ferryman.rollout import intent
from ferryman.rollout.intent import Want
from ferryman.rollout.record import World


@dataclass(frozen=True, slots=True)
class Size:
    """The bounds that a revision's number of pods is kept in."""

    floor: int
    ceiling: int
    strict: bool = False
    """Nobody but the operator sets the number: it is lowered to the ceiling, too."""


NONE = Size(0, 0, strict=True)
"""No pod at all, for now."""


def size(world: World, name: str, planned: int) -> Size:
    """Return the bounds of a revision's pods; those of one that leaves are left as they are.

    `planned` is the candidate's share in the split that is about to be written: until the route is seen with it,
    either side needs its pods for the larger of what it has and what it is about to get.
    """
    record, scaling = world.record, world.scaling
    usual = Size(scaling.least, scaling.most, strict=scaling.fixed)
    if record.candidate is not None and record.candidate.revision == name:
        return usual if record.stable is None else _candidate(world, planned)
    if record.challenger is not None and record.challenger.revision == name:
        return _challenger(world)
    if record.stable is None or record.stable.revision != name:
        return Size(world.observed.backend(name).desired, max(world.observed.backend(name).desired, scaling.most))
    if record.run is None:
        return usual
    if record.candidate is not None and intent.no_surge(world):
        left = _left_to_stable(world, planned)
        return Size(left, left, strict=True)
    floor = max(scaling.least, record.run.full)
    if scaling.fixed:
        return Size(floor, floor, strict=True)
    return Size(floor, max(floor, scaling.most, world.backend(record.stable).desired))


def to_set(world: World, name: str, planned: int) -> int | None:
    """Return the number of pods that a revision's Deployment is to be set to; None to leave it."""
    backend, bounds = world.observed.backend(name), size(world, name, planned)
    if not backend.deployed:
        return None
    if backend.desired < bounds.floor:
        return bounds.floor
    return bounds.ceiling if bounds.strict and backend.desired > bounds.ceiling else None


def full(world: World) -> int:
    """Return how many pods carry all traffic: what stable runs now, within the bounds of the spec."""
    run = world.record.run
    if run is not None and intent.no_surge(world):
        return run.full
    now = world.backend(world.record.stable).desired
    return min(max(world.scaling.least, now), max(world.scaling.most, world.scaling.least))


def at_start(world: World) -> int:
    """Return what a run that begins now is to remember as all pods: none that an earlier run took from stable."""
    now = world.backend(world.record.stable).desired
    before = world.record.run.full if world.record.run is not None else 1
    return max(before, min(max(world.scaling.least, now), max(world.scaling.most, world.scaling.least)))


def needed(world: World, want: Want) -> int:
    """Return how many pods a candidate needs for what it is to have; at least one."""
    everything = full(world)
    if not intent.no_surge(world):
        return max(1, math.ceil(everything * want.share / 100))
    # stable keeps a pod until all traffic has moved, and a copy of traffic is not worth more than one of its pods
    most = max(everything - 1, 1) if want.traffic else 1
    return max(1, min(math.ceil(everything * want.share / 100), most))


def held(world: World) -> Reason | None:
    """Return why a candidate may not even have its first pod: it breaks, or there is no room; None if it may.

    One that has a ready pod beside stable's shows that there is room.
    """
    record = world.record
    if record.stable is None or record.candidate is None:
        return None
    if _breaks(world):
        return Reason.SIGNATURE_BREAKS
    if not intent.no_surge(world):
        return None
    if _beside(world):
        return None
    if full(world) > 1:
        return None if world.observed.mesh else Reason.MESH_MISSING
    if intent.wanted(world).traffic < 100:
        return Reason.NO_SPLIT
    return None if world.rollout.allow_downtime else Reason.DOWNTIME_NEEDED


def _breaks(world: World) -> bool:
    """Tell whether a candidate that has not begun would break those who call stable, and nobody has allowed that."""
    run = world.record.run
    broken = run is not None and run.kind is RunKind.RELEASE and bool(run.breaks)
    return broken and not world.rollout.allow_breaking and world.record.phase is Phase.STARTING


def stopped(world: World) -> bool:
    """Tell whether stable's only pod has made room for the candidate's, which is not there yet."""
    record = world.record
    return (
        record.stable is not None
        and record.candidate is not None
        and record.phase is Phase.STARTING
        and intent.no_surge(world)
        and full(world) == 1
        and held(world) is None
        and world.backend(record.candidate).available == 0
    )


def _candidate(world: World, planned: int) -> Size:
    most = world.scaling.most
    if _breaks(world):
        return NONE
    if intent.no_surge(world):
        given = _given(world, planned)
        return Size(given, given, strict=True)
    has = Want(max(_observed(world), planned))
    floor = max(needed(world, intent.wanted(world)), needed(world, has))
    return Size(floor, floor, strict=True) if world.scaling.fixed else Size(floor, max(floor, most))


def _challenger(world: World) -> Size:
    """Return the bounds of the challenger's pods: those for its share of what the spec wants at least for stable."""
    shadow, least = world.rollout.challenger, world.scaling.least
    floor = max(1, math.ceil(least * shadow.percent / 100)) if shadow is not None else 1
    return Size(floor, floor, strict=True) if world.scaling.fixed else Size(floor, max(floor, world.scaling.most))


def _given(world: World, planned: int) -> int:
    """Return the candidate's pods where there is no room for two: one more than are seen to carry a share."""
    observed = _observed(world)
    has = Want(max(observed, planned))
    carrying = needed(world, has) if has.traffic else 0
    if held(world) is not None:  # it keeps what it has, and gets no pod anew
        return min(carrying, world.backend(world.record.candidate).desired)
    available = world.backend(world.record.candidate).available
    seen_and_kept = _covering(world, min(observed, planned))
    return max(carrying, min(needed(world, intent.wanted(world)), min(available, seen_and_kept) + 1))


def _covering(world: World, share: int) -> int:
    """Return the pods whose part of all pods, rounded down to a whole percent, is at most the share."""
    return math.ceil((share + 1) * full(world) / 100) - 1


def _beside(world: World) -> bool:
    """Tell whether the candidate has a ready pod beside those of stable: there is room for both after all."""
    return _serves(world) and world.backend(world.record.candidate).available > 0


def _serves(world: World) -> bool:
    """Tell whether stable has not given its room up; a Deployment that somebody deleted is about to be made anew."""
    stable = world.backend(world.record.stable)
    return stable.desired > 0 or not stable.deployed


def _left_to_stable(world: World, planned: int) -> int:
    """Return stable's pods where there is no room for two: all but the candidate's, and never fewer than it needs.

    One fewer than its share needs is the price of having no room; none at all only if downtime is allowed.
    """
    everything, given = full(world), _given(world, planned)
    if everything == 1:  # a pod that serves is stopped only if that is allowed; one that was stopped waits its turn
        return int(not stopped(world)) if _serves(world) else 1 - given
    carrying = everything - _covering(world, min(_observed(world), planned))
    return max(everything - given, carrying - 1, 1)


def _observed(world: World) -> int:
    candidate = world.record.candidate
    return weight(world, candidate.revision) if candidate is not None else 0


def weight(world: World, name: str) -> int:
    """Return the share that the route gives a revision now."""
    route = world.observed.route
    return route.weights.get(name, 0) if route is not None else 0
