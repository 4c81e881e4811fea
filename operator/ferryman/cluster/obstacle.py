"""What keeps a revision's pods from becoming ready, read from the pods, their Events and their Deployment. Pure.

The most telling cause wins: what the server itself said, then what the kubelet, the scheduler and admission say. A
pod that is merely starting has no obstacle. Messages hold nothing that changes from one attempt to the next, such as
a count of restarts: a condition that tells the same story is not written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.cluster import mishap, podstatus, refusal
from ferryman.observed import Obstacle

Body = dict[str, Any]
Cause = Callable[[Body], Obstacle | None]

_IMAGE = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CANNOT_START = frozenset(
    {
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PostStartHookError",
        "StartError",
        "ContainerCannotRun",
    }
)
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
"""What the model server may say of its own end, and knows better than anybody."""

_GUESSED = frozenset({Reason.CRASHED})
"""What it leaves behind for a death that it cannot know; the kubelet may know more."""


@dataclass(frozen=True, slots=True)
class Further:
    """What was asked for because pods and Deployment did not say enough."""

    events: Sequence[Body] = ()
    replica_sets: Sequence[Body] = ()


def of(deployment: Body, pods: list[Body], further: Further | None = None) -> Obstacle | None:
    """Return what stands in the way, the most telling cause of all pods first; None if nothing does."""
    more = further or Further()
    waiting = sorted((pod for pod in pods if podstatus.waits(pod)), key=podstatus.name)
    befell = partial(mishap.of, events=more.events)
    return _first((*_CAUSES, befell), waiting) or refusal.of(deployment, more.replica_sets)


def silent(pods: list[Body], now: datetime) -> Body | None:
    """Return the pod that has waited for a while without a word in its status, and of which Events may tell."""
    for pod in sorted(pods, key=podstatus.name):
        waits = podstatus.waits(pod) and podstatus.grown(pod, now)
        if waits and not podstatus.started(pod) and _first(_CAUSES, [pod]) is None:
            return pod
    return None


def _first(causes: Iterable[Cause], pods: list[Body]) -> Obstacle | None:
    return next((found for cause in causes for pod in pods if (found := cause(pod)) is not None), None)


def _told(pod: Body) -> Obstacle | None:
    """The server said itself why it ended."""
    return _said(pod, _TOLD)


def _crashed(pod: Body) -> Obstacle | None:
    """The server died while it served."""
    return _said(pod, _GUESSED)


def _said(pod: Body, reasons: Container[Reason]) -> Obstacle | None:
    for container in podstatus.containers(pod):
        words = _words((podstatus.ended(container) or {}).get("message") or "")
        if words is not None and words[0] in reasons:
            return _at(pod, *words)
    return None


def _words(message: str) -> tuple[Reason, str] | None:
    try:
        said = json.loads(message)
        return Reason(said["reason"]), str(said.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return None


def _out_of_memory(pod: Body) -> Obstacle | None:
    for container in podstatus.containers(pod):
        ended = podstatus.ended(container) or {}
        # With a very low limit not even the first process comes to life; then only the runtime's words say so.
        if ended.get("reason") == "OOMKilled" or "OOM-killed" in str(ended.get("message")):
            limit = _limit(pod, container["name"])
            return _at(
                pod,
                Reason.OUT_OF_MEMORY,
                f"container {container['name']} was killed at its memory limit{limit}; "
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
    for container in podstatus.containers(pod):
        waiting = podstatus.waiting(container)
        if waiting.get("reason") in _IMAGE:
            # While the kubelet waits between attempts it quotes the last one's words behind its own.
            said = str(waiting.get("message") or "").split("ErrImagePull: ")[-1]
            detail = "" if said.startswith("Back-off") or not said else f" ({said})"
            return _at(
                pod,
                Reason.IMAGE_PULL_FAILED,
                f"image {container['image']} cannot be pulled{detail}; check that it exists and "
                "that the node may pull it",
            )
    return None


def _configuration(pod: Body) -> Obstacle | None:
    for container in podstatus.containers(pod):
        waiting = podstatus.waiting(container)
        if waiting.get("reason") == "CreateContainerConfigError":
            return _at(
                pod,
                Reason.SECRET_MISSING,
                f"{waiting.get('message', 'its configuration is incomplete')}; create it in the "
                "same namespace, or correct spec.model.secretName",
            )
    return None


def _unschedulable(pod: Body) -> Obstacle | None:
    scheduled = podstatus.condition(pod.get("status") or {}, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    # Behind the first sentence the scheduler tells what it thinks of preemption.
    said = str(scheduled.get("message") or "no node takes it").split(". ", 1)[0].rstrip(".")
    if re.search(r'persistentvolumeclaim "[^"]*" not found', said):
        return _at(
            pod,
            Reason.SECRET_MISSING,
            f"{said}; create the claim in the same namespace, or correct spec.model.uri",
        )
    if "PersistentVolumeClaims" in said:
        return _at(pod, Reason.UNSCHEDULABLE, f"{said}; see kubectl describe pvc for why the claim has no volume")
    lacking = ", ".join(sorted(set(re.findall(r"Insufficient ([\w./-]*\w)", said))))
    words = f"no node has enough {lacking} ({said})" if lacking else said
    return _at(pod, Reason.UNSCHEDULABLE, f"{words}; add nodes, or ask for less in spec.server.resources")


def _crashing(pod: Body) -> Obstacle | None:
    """The process ended, and did not say why in our words; or the container runtime could not start it."""
    for container in podstatus.containers(pod):
        name, waiting, ended = container["name"], podstatus.waiting(container), podstatus.ended(container) or {}
        stuck = next((each for each in (waiting, ended) if each.get("reason") in _CANNOT_START), None)
        if stuck is not None:
            said = _line(stuck.get("message")) or stuck["reason"]
            return _at(pod, Reason.CRASHING, f"container {name} cannot be started: {said}")
        if ended:
            last = _line(ended.get("message"))
            return _at(
                pod,
                Reason.CRASHING,
                f"container {name} ended with exit code {ended.get('exitCode')}{f': {last}' if last else ''}; see "
                f"kubectl logs {podstatus.name(pod)} -c {name} --previous",
            )
    return None


def _line(message: object) -> str:
    """Return the last line of what was said: there a process says what ended it."""
    lines = str(message or "").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _at(pod: Body, reason: Reason, message: str) -> Obstacle:
    return Obstacle(reason, f"pod {podstatus.name(pod)}: {message}")


_CAUSES: tuple[Cause, ...] = (
    _told,
    _out_of_memory,
    _crashed,
    _image,
    _configuration,
    _unschedulable,
    _crashing,
)
