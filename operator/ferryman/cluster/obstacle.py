"""What keeps a revision's pods from becoming ready, read from the pods and their Deployment. Pure.

The most telling cause wins: what the server itself said, then what the kubelet, the scheduler and admission say. A
pod that is merely starting has no obstacle. Messages hold nothing that changes from one attempt to the next, such as
a count of restarts: a condition that tells the same story is not written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.observed import Obstacle

Body = dict[str, Any]

_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_CANNOT_START = frozenset({"CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"})
_TOLD = frozenset(
    {
        Reason.ARTIFACT_NOT_FOUND,
        Reason.ARTIFACT_CORRUPT,
        Reason.ARTIFACT_UNREACHABLE,
        Reason.ARTIFACT_FORBIDDEN,
        Reason.UNTRUSTED_FORMAT,
        Reason.UNKNOWN_FORMAT,
        Reason.LOAD_FAILED,
        Reason.WARMUP_FAILED,
    }
)
"""What the model server may say of its own end."""


def of(deployment: Body, pods: list[Body]) -> Obstacle | None:
    """Return what stands in the way, the most telling cause of all pods first; None if nothing does."""
    waiting = sorted((pod for pod in pods if _waits(pod)), key=lambda pod: str(pod["metadata"]["name"]))
    for cause in _CAUSES:
        for pod in waiting:
            found = cause(pod)
            if found is not None:
                return found
    return _refused(deployment)


def _waits(pod: Body) -> bool:
    """The pod is wanted and is not ready."""
    status = pod.get("status") or {}
    leaving = pod["metadata"].get("deletionTimestamp") is not None or status.get("phase") in {"Failed", "Succeeded"}
    return not leaving and _condition(status, "Ready").get("status") != "True"


def _condition(status: Body, kind: str) -> Body:
    conditions = status.get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _containers(pod: Body) -> Iterator[Body]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _ended(container: Body) -> Body | None:
    """Return how the container ended badly, now or the last time; None if it has done its work since."""
    state = container.get("state") or {}
    now = state.get("terminated")
    if now is not None:
        return now if now.get("exitCode") != 0 else None
    last: Body | None = (container.get("lastState") or {}).get("terminated")
    return last if last is not None and last.get("exitCode") != 0 else None


def _waiting(container: Body) -> Body:
    waiting: Body = (container.get("state") or {}).get("waiting") or {}
    return waiting


def _told(pod: Body) -> Obstacle | None:
    """The server said itself why it ended."""
    for container in _containers(pod):
        words = _words((_ended(container) or {}).get("message") or "")
        if words is not None:
            reason, message = words
            return Obstacle(reason, f"pod {_name(pod)}: {message}")
    return None


def _words(message: str) -> tuple[Reason, str] | None:
    try:
        said = json.loads(message)
        reason = Reason(said["reason"])
    except (ValueError, KeyError, TypeError):
        return None
    return (reason, str(said.get("message", ""))) if reason in _TOLD else None


def _out_of_memory(pod: Body) -> Obstacle | None:
    for container in _containers(pod):
        if (_ended(container) or {}).get("reason") == "OOMKilled":
            limit = _limit(pod, container["name"])
            return Obstacle(
                Reason.OUT_OF_MEMORY,
                f"pod {_name(pod)}: container {container['name']} was killed at its memory limit{limit}; "
                "raise spec.server.resources.limits.memory",
            )
    return None


def _limit(pod: Body, container: str) -> str:
    spec = pod.get("spec") or {}
    every = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    own: Body = next((each for each in every if each["name"] == container), {})
    memory = ((own.get("resources") or {}).get("limits") or {}).get("memory")
    return f" of {memory}" if memory else ""


def _image(pod: Body) -> Obstacle | None:
    for container in _containers(pod):
        waiting = _waiting(container)
        if waiting.get("reason") in _IMAGE:
            # While the kubelet waits between attempts it quotes the last one's words behind its own.
            said = str(waiting.get("message") or "").split("ErrImagePull: ")[-1]
            detail = "" if said.startswith("Back-off") or not said else f" ({said})"
            return Obstacle(
                Reason.IMAGE_PULL_FAILED,
                f"pod {_name(pod)}: image {container['image']} cannot be pulled{detail}; check that it exists and "
                "that the node may pull it",
            )
    return None


def _configuration(pod: Body) -> Obstacle | None:
    for container in _containers(pod):
        waiting = _waiting(container)
        if waiting.get("reason") == "CreateContainerConfigError":
            return Obstacle(
                Reason.SECRET_MISSING,
                f"pod {_name(pod)}: {waiting.get('message', 'its configuration is incomplete')}; create it in the "
                "same namespace, or correct spec.model.secretName",
            )
    return None


def _unschedulable(pod: Body) -> Obstacle | None:
    scheduled = _condition(pod.get("status") or {}, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    said = str(scheduled.get("message") or "no node takes it")
    if re.search(r'persistentvolumeclaim "[^"]*" not found', said):
        return Obstacle(
            Reason.SECRET_MISSING,
            f"pod {_name(pod)}: {said}; create the claim in the same namespace, or correct spec.model.uri",
        )
    return Obstacle(
        Reason.UNSCHEDULABLE,
        f"pod {_name(pod)}: {said}; add nodes, or ask for less in spec.server.resources",
    )


def _crashing(pod: Body) -> Obstacle | None:
    """The process ended, and did not say why in our words; or the container runtime could not start it."""
    for container in _containers(pod):
        waiting = _waiting(container)
        if waiting.get("reason") in _CANNOT_START:
            said = waiting.get("message") or waiting["reason"]
            return Obstacle(
                Reason.CRASHING, f"pod {_name(pod)}: container {container['name']} cannot be started: {said}"
            )
        ended = _ended(container)
        if ended is not None:
            lines = str(ended.get("message") or "").strip().splitlines()
            last = f": {lines[-1].strip()}" if lines else ""
            return Obstacle(
                Reason.CRASHING,
                f"pod {_name(pod)}: container {container['name']} ended with exit code {ended.get('exitCode')}"
                f"{last}; see kubectl logs {_name(pod)} -c {container['name']} --previous",
            )
    return None


def _refused(deployment: Body) -> Obstacle | None:
    """The apiserver does not let the pods be created."""
    failure = _condition(deployment.get("status") or {}, "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    # The name of the pod that was refused is another at each attempt.
    said = re.sub(r'^pods "[^"]*" is forbidden: ', "", str(failure.get("message") or failure.get("reason") or ""))
    name = deployment["metadata"]["name"]
    if "exceeded quota" in said:
        return Obstacle(
            Reason.QUOTA_EXCEEDED,
            f"Deployment {name}: {said}; raise the namespace's ResourceQuota, or ask for less in "
            "spec.server.resources or spec.scaling",
        )
    return Obstacle(
        Reason.POD_REFUSED,
        f"Deployment {name}: pods are refused: {said}; ask the cluster's admins which policy refuses them",
    )


def _name(pod: Body) -> str:
    return str(pod["metadata"]["name"])


_CAUSES: tuple[Callable[[Body], Obstacle | None], ...] = (
    _told,
    _out_of_memory,
    _image,
    _configuration,
    _unschedulable,
    _crashing,
)
