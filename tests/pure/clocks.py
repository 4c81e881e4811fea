"""The clocks of a state, each of which may pass its next threshold on its own, in any order.

Real time can do less, since all clocks go at one speed: so nothing that time can do is missed. `walks.py` tries that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pure.simulation import SETTINGS, Cluster

from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.rollout import stability

DRAIN = timedelta(seconds=SETTINGS.drain_seconds)

Moved = Callable[[ModelDeploymentStatus, timedelta], dict[str, Any]]
"""What a status becomes when one of its clocks is put forward."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that runs, and what is left until its next threshold."""

    name: str
    left: timedelta
    passed: Callable[[Cluster], None]
    """Lets it pass."""


def waiting(cluster: Cluster) -> Iterator[Clock]:
    """Return every clock that has a threshold before it."""
    status, now = cluster.status, cluster.now
    for name, since, thresholds, moved in running(cluster):
        age = now - since
        left = next((threshold - age for threshold in thresholds if threshold > age), None)
        if left is not None:
            yield Clock(name, left, _passing(status, moved, name, left))


def _passing(status: ModelDeploymentStatus, moved: Moved, name: str, by: timedelta) -> Callable[[Cluster], None]:
    def passed(cluster: Cluster) -> None:
        cluster.status = status.model_copy(update=moved(status, by))
        past, leaves = cluster.past, name.rpartition(" ")[2]
        begun = past.begun - by if past.begun is not None and name == "deadline" else past.begun
        shown = {step: at - by if name == "step_since" else at for step, at in past.shown.items()}
        cluster.past = replace(past, status=cluster.status, begun=begun, shown=shown)
        if leaves in cluster.unrouted_since:  # the contract's own clock of a revision goes as the operator's
            cluster.unrouted_since[leaves] -= by

    return passed


def running(cluster: Cluster) -> Iterator[tuple[str, datetime, list[timedelta], Moved]]:
    """Return the clocks that may matter: name, start, thresholds, and what the status is when it is put forward."""
    status, rollout = cluster.status, cluster.spec.get("rollout", {})
    candidate, run = status.candidate, status.run
    if candidate is not None and run is not None:
        if status.phase is Phase.STARTING and status.stable is not None and run.held_since is None:
            deadline = [timedelta(seconds=rollout.get("deadlineSeconds", 600))]
            yield "deadline", candidate.since, deadline, _candidate
        if run.losses and run.lost_at is not None:
            yield "lost_at", run.lost_at, [stability.FORGOTTEN], _run("lost_at")
        if run.losses and run.steady_since is not None:
            calm = [stability.CALM.get(run.losses, stability.CALM[2])]
            yield "steady_since", run.steady_since, calm, _run("steady_since")
        pause = run.steps[run.step].pause if run.steps else None
        length = pause.length() if pause is not None else None
        if run.step_since is not None and length is not None:
            yield "step_since", run.step_since, [length], _run("step_since")
    for place, each in enumerate(status.retiring):
        if each.unrouted_since is not None:
            yield f"retiring {each.revision.revision}", each.unrouted_since, [DRAIN], _leaving("retiring", place)
    for place, each in enumerate(status.history):
        if each.unrouted_since is not None:
            yield f"history {each.revision.revision}", each.unrouted_since, warm(cluster), _leaving("history", place)


def warm(cluster: Cluster) -> list[timedelta]:
    """Return the thresholds of a revision that is kept: it drains, and its time on standby ends."""
    standby = timedelta(seconds=cluster.spec.get("rollout", {}).get("standbySeconds", 0))
    return sorted({DRAIN, max(DRAIN, standby)})


def _candidate(status: ModelDeploymentStatus, by: timedelta) -> dict[str, Any]:
    assert status.candidate is not None
    return {"candidate": status.candidate.model_copy(update={"since": status.candidate.since - by})}


def _run(field: str) -> Moved:
    def moved(status: ModelDeploymentStatus, by: timedelta) -> dict[str, Any]:
        assert status.run is not None
        return {"run": status.run.model_copy(update={field: getattr(status.run, field) - by})}

    return moved


def _leaving(field: str, place: int) -> Moved:
    def moved(status: ModelDeploymentStatus, by: timedelta) -> dict[str, Any]:
        every = list(getattr(status, field))
        every[place] = every[place].model_copy(update={"unrouted_since": every[place].unrouted_since - by})
        return {field: every}

    return moved
