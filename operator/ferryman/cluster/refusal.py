"""Why the apiserver does not let a revision's pods be created: a quota, a limit, a policy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.cluster import podstatus
from ferryman.observed import Obstacle

Body = dict[str, Any]

_NEXT_MOVES: tuple[tuple[str, Reason, str], ...] = (
    (
        "exceeded quota",
        Reason.QUOTA_EXCEEDED,
        "{said}; raise the namespace's ResourceQuota, or ask for less in spec.server.resources or spec.scaling",
    ),
    (
        "failed quota",
        Reason.QUOTA_EXCEEDED,
        "{said}; say in spec.server.resources what the namespace's ResourceQuota asks for",
    ),
    (
        r"(minimum|maximum) \S+ usage per|max limit to request ratio per",
        Reason.POD_REFUSED,
        "pods are refused: {said}; keep spec.server.resources within the namespace's LimitRange",
    ),
    (
        "violates PodSecurity",
        Reason.POD_REFUSED,
        "pods are refused: {said}; ask the cluster's admins for a namespace with another PodSecurity level",
    ),
    ("", Reason.POD_REFUSED, "pods are refused: {said}; ask the cluster's admins which policy refuses them"),
)
"""What the apiserver says, what that means, and what to do; the first that fits."""


def of(deployment: Body, replica_sets: Iterable[Body] = ()) -> Obstacle | None:
    """Return why pods are refused, as the Deployment says, or else as its ReplicaSets do; None if they are not."""
    for body in (deployment, *replica_sets):
        failure = podstatus.condition(body.get("status") or {}, "ReplicaFailure")
        if failure.get("status") == "True":
            # The name of the pod that was refused is another at each attempt.
            said = re.sub(r'^pods "[^"]*" is forbidden: ', "", str(failure.get("message") or failure.get("reason")))
            reason, sentence = next((reason, move) for words, reason, move in _NEXT_MOVES if re.search(words, said))
            name = deployment["metadata"]["name"]
            return Obstacle(reason, f"Deployment {name}: {sentence.format(said=said)}")
    return None


def unexplained(deployment: Body, pods: list[Body], now: datetime) -> bool:
    """Tell whether pods have been lacking for a while, and the Deployment does not say why."""
    present = sum(1 for pod in pods if not podstatus.leaves(pod))
    lacks = present < deployment["spec"].get("replicas", 1)
    return lacks and podstatus.grown(deployment, now) and of(deployment) is None
