"""What people should hear of: the difference between two records, as sentences for Events.

Transitions only, each once: the story of a canary should fit on a screen of `kubectl describe`.
"""

from __future__ import annotations

from ferryman.api.status import Traffic
from ferryman.outcome import Notice
from ferryman.rollout.record import Record
from ferryman.rollout.signals import Signal

NOTHING_ROUTED = "0/0"


def told(before: Record, after: Record, signal: Signal | None) -> list[Notice]:
    """Return what the step from one record to the next means to people."""
    candidate = after.candidate.revision if after.candidate is not None else ""
    left = before.candidate.revision if before.candidate is not None else ""
    stable = after.stable.revision if after.stable is not None else ""
    match signal:
        case Signal.CANDIDATE_NAMED:
            uri = after.candidate.model.uri if after.candidate is not None else ""
            return [Notice("Normal", "CandidateStarted", f"{candidate} starts, serving {uri}")]
        case Signal.FIRST_SERVES:
            return [Notice("Normal", "Serving", f"{stable} is ready and serves")]
        case Signal.TRAFFIC_MOVED:
            return [Notice("Normal", "Promoted", f"{stable} is stable now; no pod was restarted")]
        case Signal.MIRROR_WANTED:
            return [Notice("Normal", "ShadowStarted", f"{candidate} gets a copy of live traffic")]
        case Signal.DARK_WANTED:
            return [Notice("Normal", "CandidateReady", f"{candidate} is ready and has no traffic, as the spec asks")]
        case Signal.RETURNED:
            return [Notice("Normal", "RolledBack", f"the spec asks for {stable} again; {left} leaves")]
        case Signal.WITHDRAWN:
            return [Notice("Normal", "RolledBack", f"the spec took {left} back to 0 %; {stable} serves")]
        case Signal.CANDIDATE_LOST:
            return [Notice("Warning", "CandidateLost", f"{candidate} has no ready pod left; {stable} serves")]
        case Signal.DEADLINE_PASSED:
            why = after.rejected.message if after.rejected is not None else ""
            return [Notice("Warning", "RolledBack", f"{stable} serves; {left} was not ready in time: {why}")]
        case _:
            return []


def moved(before: Traffic | None, after: Traffic | None) -> list[Notice]:
    """Return what a change of the observed split means to people."""
    if before is None or after is None or before.display in (after.display, NOTHING_ROUTED):
        return []
    return [Notice("Normal", "TrafficMoved", f"stable/candidate share of traffic is now {after.display}")]
