"""The rollout as a table: (phase, signal) -> phase. This is the file to show to a newcomer.

Three rules: everything that moves a rollout is in this file; this file knows no Kubernetes; a pair that is not in the
table means "stay". `TABLE` says where a signal leads, `changes.py` what it does to the record. One step is taken per
look at the cluster, so that each step's effects are seen before the next is decided.
"""

from __future__ import annotations

from dataclasses import replace

from ferryman.api.status import Phase
from ferryman.rollout import changes, settled, signals
from ferryman.rollout.record import Record, World
from ferryman.rollout.signals import Signal

STAYING = (Signal.PAUSE_TOLD, Signal.RESUME_TOLD, Signal.PROMOTE_TOLD, Signal.RETRY_TOLD, Signal.REFUSED)
"""What people tell of a run that goes on: it changes what the candidate is to have, and no phase."""


def _told(phase: Phase) -> dict[Signal, Phase]:
    """Return where a person's words lead while a candidate is beside stable."""
    return {
        Signal.ABORT_TOLD: Phase.ROLLING_BACK,
        Signal.ROLLBACK_TOLD: Phase.STARTING,
        **dict.fromkeys(STAYING, phase),
    }


TABLE: dict[Phase, dict[Signal, Phase]] = {
    Phase.PENDING: {
        Signal.CANDIDATE_NAMED: Phase.PENDING,
        Signal.FIRST_SERVES: Phase.STABLE,
        Signal.REFUSED: Phase.PENDING,
    },
    Phase.STABLE: {
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.ROLLBACK_TOLD: Phase.STARTING,
        Signal.RETRY_TOLD: Phase.STABLE,
        Signal.REFUSED: Phase.STABLE,
    },
    Phase.STARTING: {
        **_told(Phase.STARTING),
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.UNSTABLE: Phase.ROLLING_BACK,
        Signal.DEADLINE_PASSED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.DARK: {
        **_told(Phase.DARK),
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.STEP_PASSED: Phase.DARK,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
    },
    Phase.SHADOWING: {
        **_told(Phase.SHADOWING),
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.STEP_PASSED: Phase.SHADOWING,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.CANARY: {
        **_told(Phase.CANARY),
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.STEP_PASSED: Phase.CANARY,
        Signal.PROMOTION_WANTED: Phase.PROMOTING,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.PROMOTING: {
        **_told(Phase.PROMOTING),
        Signal.RETURNED: Phase.ROLLING_BACK,
        Signal.CANDIDATE_LOST: Phase.STARTING,
        Signal.TRAFFIC_MOVED: Phase.STABLE,
        Signal.WITHDRAWN: Phase.ROLLING_BACK,
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.TRAFFIC_WANTED: Phase.CANARY,
        Signal.MIRROR_WANTED: Phase.SHADOWING,
        Signal.DARK_WANTED: Phase.DARK,
    },
    Phase.ROLLING_BACK: {
        Signal.CANDIDATE_NAMED: Phase.STARTING,
        Signal.ROLLBACK_TOLD: Phase.STARTING,
        Signal.RETRY_TOLD: Phase.ROLLING_BACK,
        Signal.REFUSED: Phase.ROLLING_BACK,
        Signal.ROLLED_BACK: Phase.STABLE,
    },
}


def heard(world: World) -> Signal | None:
    """Return the first signal that holds and that the phase listens to."""
    listening = TABLE[world.record.phase]
    return next((signal for signal, holds in signals.ORDER if signal in listening and holds(world)), None)


def advance(world: World) -> tuple[Record, Signal | None]:
    """Take at most one step; return the record after it and the signal that caused it."""
    for settle in settled.BEFORE:
        world = replace(world, record=settle(world))
    signal = heard(world)
    if signal is None:
        return world.record, None
    return replace(changes.OF[signal](world), phase=TABLE[world.record.phase][signal]), signal


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for docs/status.md; what stays in its phase is left out."""
    arrows: dict[tuple[Phase, Phase], list[Signal]] = {}
    for phase, leads in TABLE.items():
        for signal, to in leads.items():
            if signal not in STAYING:
                arrows.setdefault((phase, to), []).append(signal)
    lines = [f"    {a} --> {b}: {', '.join(causes)}" for (a, b), causes in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> Pending", *lines])
