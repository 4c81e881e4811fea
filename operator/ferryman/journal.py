"""Which decisions the operator took, and on which numbers: for people who ask what it did, and why."""

from __future__ import annotations

from ferryman.api.journal import Decision, Numbers
from ferryman.api.revision import Revision
from ferryman.rollout import capacity, intent, traffic
from ferryman.rollout.decided import Decided
from ferryman.rollout.record import World
from ferryman.waits import Wait

KEPT = 10
"""How many decisions a status holds."""

WEIGHED = "Weighed"
"""The rule of a decision that moved only the share."""


def told(previous: list[Decision], decided: Decided, wait: Wait | None) -> list[Decision]:
    """Return the decisions with the one that was just taken, if any was; the oldest are let go."""
    world, record = decided.world, decided.world.record
    about = record.candidate or decided.before.candidate
    if decided.signal is None:
        share = decided.split.candidate_weight if decided.split is not None else 0
        if not world.observed.mesh or about is None or share == traffic.observed_weight(world, about):
            return previous
    subject = about or record.stable
    now = Decision(
        time=world.now,
        rule=decided.signal.value if decided.signal is not None else WEIGHED,
        phase=record.phase.value,
        revision=subject.revision if subject is not None else "",
        numbers=_numbers(world, about),
        waits_for=wait.message if wait is not None else "",
        unblocked_by=wait.unblocked_by if wait is not None else "",
    )
    if previous and decided.signal is None and _same(previous[-1], now):
        return previous
    return [*previous, now][-KEPT:]


def _numbers(world: World, about: Revision | None) -> Numbers:
    backend = world.backend(about)
    under_way = world.record.candidate is not None and world.record.stable is not None
    want = intent.wanted(world)
    return Numbers(
        weight=traffic.observed_weight(world, about),
        wanted=want.traffic if under_way else 0,
        pods=backend.available,
        needed=capacity.needed(world, want) if under_way else 0,
        stable_pods=world.backend(world.record.stable).available,
    )


def _same(last: Decision, now: Decision) -> bool:
    """The decision is the one that was taken before, on the same numbers."""
    return (last.rule, last.phase, last.revision, last.numbers) == (now.rule, now.phase, now.revision, now.numbers)
