"""What the kubelet and the scheduler wrote about a pod, taken apart. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

Body = dict[str, Any]

PATIENCE = timedelta(seconds=10)
"""How long an object may say nothing before further questions are asked about it."""


def name(pod: Body) -> str:
    """Return the pod's name."""
    return str(pod["metadata"]["name"])


def waits(pod: Body) -> bool:
    """Tell whether the pod is wanted and is not ready."""
    status = pod.get("status") or {}
    return not leaves(pod) and condition(status, "Ready").get("status") != "True"


def leaves(pod: Body) -> bool:
    """Tell whether the pod has ended for good, or is about to."""
    ended = (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    return ended or pod["metadata"].get("deletionTimestamp") is not None


def grown(body: Body, now: datetime) -> bool:
    """Tell whether an object has been there for so long that its silence is telling."""
    made = body["metadata"].get("creationTimestamp")
    return made is not None and now - datetime.fromisoformat(made) > PATIENCE


def condition(status: Body, kind: str) -> Body:
    """Return the condition of that kind; an empty one if there is none."""
    conditions = status.get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})


def containers(pod: Body) -> Iterator[Body]:
    """Return the statuses of the containers, in the order in which they are started."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def started(pod: Body) -> bool:
    """Tell whether any container of the pod has run."""
    states = (state for each in containers(pod) for state in (each.get("state"), each.get("lastState")))
    return any(state and state.keys() & {"running", "terminated"} for state in states)


def ended(container: Body) -> Body | None:
    """Return how the container ended badly, now or the last time; None if it has done its work since."""
    state = container.get("state") or {}
    now = state.get("terminated")
    if now is not None:
        return now if now.get("exitCode") != 0 else None
    last: Body | None = (container.get("lastState") or {}).get("terminated")
    return last if last is not None and last.get("exitCode") != 0 else None


def waiting(container: Body) -> Body:
    """Return what the container waits for; nothing if it runs."""
    found: Body = (container.get("state") or {}).get("waiting") or {}
    return found
