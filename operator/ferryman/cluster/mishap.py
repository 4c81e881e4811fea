"""What befell a pod before any of its containers ran, which only Events tell: volumes, networks. Pure.

An Event outlives its cause by an hour. So only the latest one about a pod counts: whatever went well afterwards has
an Event of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.cluster import podstatus
from ferryman.observed import Obstacle

Body = dict[str, Any]

_VOLUME = (
    Reason.VOLUME_FAILED,
    "pod {pod}: a volume cannot be mounted: {said}; check the claim that spec.model.uri names and the driver of its "
    "storage class on node {node}",
)
_NODE = (
    Reason.NODE_FAILED,
    "pod {pod}: its node cannot start it: {said}; ask the cluster's admins to look at node {node}",
)
_MISHAPS = {
    "FailedMount": _VOLUME,
    "FailedAttachVolume": _VOLUME,
    "FailedMapVolume": _VOLUME,
    "FailedCreatePodSandBox": _NODE,
    "FailedCreatePodContainer": _NODE,
    "FailedPrepareDynamicResources": _NODE,
    "NetworkNotReady": _NODE,
}
"""An Event's reason, what it means, and what to do."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def of(pod: Body, events: Iterable[Body]) -> Obstacle | None:
    """Return what the latest Event about the pod tells; None if it tells of nothing bad."""
    own = [event for event in events if (event.get("regarding") or {}).get("uid") == pod["metadata"].get("uid")]
    if not own:
        return None
    # Of two in the same second, the one that tells of nothing bad is believed.
    latest = max(own, key=lambda event: (_when(event), event.get("reason") not in _MISHAPS))
    if latest.get("type") != "Warning" or latest.get("reason") not in _MISHAPS:
        return None
    reason, sentence = _MISHAPS[latest["reason"]]
    said = _shortened(str(latest.get("note") or latest["reason"]))
    node = (pod.get("spec") or {}).get("nodeName") or "that it was given"
    return Obstacle(reason, sentence.format(pod=podstatus.name(pod), said=said, node=node))


def _shortened(note: str) -> str:
    """Return what went wrong in one line that stays the same, without command lines and passing names."""
    words = re.sub(r"\nMounting command:.*?\nOutput: ", ": ", note.strip(), flags=re.DOTALL)
    return re.sub(r"\b[0-9a-f]{64}\b", "...", words.splitlines()[0]).strip()


def _when(event: Body) -> datetime:
    """Return when the event happened the last time; kubelets still write the fields that are called deprecated."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return max((datetime.fromisoformat(each) for each in times if each), default=_LONG_AGO)
