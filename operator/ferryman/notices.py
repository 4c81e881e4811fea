"""What people should hear of: the difference between two records, as sentences for Events.

Transitions only, each once: the story of a canary should fit on a screen of `kubectl describe`.
"""

from __future__ import annotations

from typing import Literal

from ferryman.api.status import Traffic
from ferryman.outcome import Notice
from ferryman.rollout import steps
from ferryman.rollout.record import Record
from ferryman.rollout.signals import Signal

NOTHING_ROUTED = "0/0"

Told = tuple[Literal["Normal", "Warning"], str, str]

SENTENCES: dict[Signal, Told] = {
    Signal.CANDIDATE_NAMED: ("Normal", "CandidateStarted", "{candidate} is the candidate now, serving {uri}"),
    Signal.FIRST_SERVES: ("Normal", "Serving", "{stable} is ready and serves"),
    Signal.TRAFFIC_MOVED: ("Normal", "Promoted", "{stable} is stable now; no pod was restarted"),
    Signal.MIRROR_WANTED: ("Normal", "ShadowStarted", "{candidate} gets a copy of live traffic"),
    Signal.DARK_WANTED: ("Normal", "CandidateReady", "{candidate} is ready and has no traffic, as is asked"),
    Signal.STEP_PASSED: ("Normal", "StepPassed", "{candidate} goes on to step {step}"),
    Signal.RETURNED: ("Normal", "RolledBack", "the spec asks for {stable} again; {left} leaves"),
    Signal.WITHDRAWN: ("Normal", "RolledBack", "the spec took {left} back to 0 %; {stable} serves"),
    Signal.CANDIDATE_LOST: ("Warning", "CandidateLost", "{candidate} has no ready pod left; {stable} serves"),
    Signal.DEADLINE_PASSED: ("Warning", "RolledBack", "{stable} serves; {left} was not ready in time: {why}"),
    Signal.UNSTABLE: ("Warning", "RolledBack", "{stable} serves; {left} was given up: {why}"),
    Signal.ABORT_TOLD: ("Normal", "Aborted", "{stable} serves; a person aborted {left}"),
    Signal.ROLLBACK_TOLD: ("Normal", "RollbackStarted", "{candidate} gets everything as soon as it can carry it"),
    Signal.PAUSE_TOLD: ("Normal", "Paused", "{candidate}: {answer}"),
    Signal.RESUME_TOLD: ("Normal", "Resumed", "{candidate}: {answer}"),
    Signal.PROMOTE_TOLD: ("Normal", "PromotionTold", "{candidate}: {answer}"),
    Signal.RETRY_TOLD: ("Normal", "RetryTold", "{answer}"),
    Signal.REFUSED: ("Warning", "Refused", "ferryman.dev/{verb} is refused: {answer}"),
}
"""What each step is called in an Event; signals that are not here are told by the change of traffic they cause."""


def told(before: Record, after: Record, signal: Signal | None) -> list[Notice]:
    """Return what the step from one record to the next means to people."""
    if signal is None or signal not in SENTENCES:
        return []
    kind, reason, sentence = SENTENCES[signal]
    command = after.commands[-1] if after.commands else None
    words = {
        "candidate": after.candidate.revision if after.candidate is not None else "",
        "uri": after.candidate.model.uri if after.candidate is not None else "",
        "left": before.candidate.revision if before.candidate is not None else "",
        "stable": after.stable.revision if after.stable is not None else "",
        "why": after.last.message if after.last is not None else "",
        "step": steps.display(after.run) if after.run is not None else "",
        "verb": f"{command.verb}={command.value}" if command is not None else "",
        "answer": command.message if command is not None else "",
    }
    return [Notice(kind, reason, sentence.format(**words))]


def challenged(before: Record, after: Record) -> list[Notice]:
    """Return what another challenger means to people."""
    old, new = before.challenger, after.challenger
    if (old and old.revision) == (new and new.revision):
        return []
    if new is not None:
        message = (
            f"{new.revision} is the challenger now, serving nobody: {new.model.uri} gets copies of live requests"
        )
        return [Notice("Normal", "ChallengerStarted", message)]
    assert old is not None, "one of the two is there, or they would be the same"
    return [Notice("Normal", "ChallengerEnded", f"{old.revision} is the challenger no more")]


def moved(before: Traffic | None, after: Traffic | None) -> list[Notice]:
    """Return what a change of the observed split means to people."""
    if before is None or after is None or before.display in (after.display, NOTHING_ROUTED):
        return []
    return [Notice("Normal", "TrafficMoved", f"stable/candidate share of traffic is now {after.display}")]
