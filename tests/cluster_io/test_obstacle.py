"""What is read out of pods and Deployments, in the words that a kubelet, a scheduler and admission use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ferryman.api.conditions import Reason
from ferryman.cluster import obstacle
from ferryman.observed import Obstacle

HEALTHY = {"metadata": {"name": "fraud-1"}, "spec": {}, "status": {"conditions": []}}


def pod(name: str = "fraud-1-a", ready: str = "False", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}, *status.pop("conditions", [])]
    limits = {"limits": {"memory": "1Gi"}}
    return {
        "metadata": {"name": name},
        "spec": {"initContainers": [{"name": "fetch"}], "containers": [{"name": "server", "resources": limits}]},
        "status": {"phase": "Pending", "conditions": conditions, **status},
    }


def server(state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "server", "image": "ferryman.dev/server:dev", "state": state, "lastState": last or {}}


def fetch(state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "fetch", "image": "ferryman.dev/server:dev", "state": state, "lastState": last or {}}


def ended(message: str = "", code: int = 1, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def said(reason: str, message: str) -> str:
    return json.dumps({"reason": reason, "message": message})


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
DONE = ended(code=0, reason="Completed")
BACKING_OFF = waiting("CrashLoopBackOff", "back-off 40s restarting failed container=fetch pod=fraud-1-a_default")

NO_OBSTACLE = {
    "no pods yet": [],
    "just created": [pod()],
    "starting": [pod(initContainerStatuses=[fetch(RUNNING)], containerStatuses=[server(waiting("PodInitializing"))])],
    "fetched and loading": [pod(initContainerStatuses=[fetch(DONE)], containerStatuses=[server(RUNNING)])],
    "being created": [pod(containerStatuses=[server(waiting("ContainerCreating"))])],
    "fetched at the second attempt": [
        pod(initContainerStatuses=[fetch(DONE, ended(said("ArtifactUnreachable", "no answer")))])
    ],
    "ready after a crash": [pod(ready="True", containerStatuses=[server(RUNNING, ended("killed", 137))])],
    "leaving": [{**pod(containerStatuses=[server(ended())]), "metadata": {"name": "a", "deletionTimestamp": "now"}}],
    "evicted and replaced": [pod(phase="Failed", containerStatuses=[server(ended())])],
    "not looked at by the scheduler": [
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}])
    ],
}


@pytest.mark.parametrize("pods", NO_OBSTACLE.values(), ids=NO_OBSTACLE.keys())
def test_a_pod_that_is_merely_on_its_way_has_no_obstacle(pods: list[dict[str, Any]]) -> None:
    assert obstacle.of(HEALTHY, pods) is None


NO_SUCH_IMAGE = 'failed to resolve reference "ferryman.dev/server:dev": not found'
IMAGE_SENTENCE = (
    f"pod fraud-1-a: image ferryman.dev/server:dev cannot be pulled ({NO_SUCH_IMAGE}); check that it exists and that "
    "the node may pull it"
)
NO_CPU = "0/1 nodes are available: 1 Insufficient cpu."
NO_CLAIM = 'persistentvolumeclaim "models" not found'

OBSTACLES = {
    "the fetch said why it ended": (
        pod(initContainerStatuses=[fetch(ended(said("ArtifactCorrupt", "model.pkl is cut short")))]),
        Obstacle(Reason.ARTIFACT_CORRUPT, "pod fraud-1-a: model.pkl is cut short"),
    ),
    "the fetch said it the last time and is waiting": (
        pod(initContainerStatuses=[fetch(BACKING_OFF, ended(said("ArtifactNotFound", "s3://b/k is not there")))]),
        Obstacle(Reason.ARTIFACT_NOT_FOUND, "pod fraud-1-a: s3://b/k is not there"),
    ),
    "the server said it and runs once more": (
        pod(containerStatuses=[server(RUNNING, ended(said("LoadFailed", "needs sklearn 2")))]),
        Obstacle(Reason.LOAD_FAILED, "pod fraud-1-a: needs sklearn 2"),
    ),
    "out of memory": (
        pod(containerStatuses=[server(BACKING_OFF, ended(code=137, reason="OOMKilled"))]),
        Obstacle(
            Reason.OUT_OF_MEMORY,
            "pod fraud-1-a: container server was killed at its memory limit of 1Gi; raise "
            "spec.server.resources.limits.memory",
        ),
    ),
    "an image that is not there": (
        pod(containerStatuses=[server(waiting("ErrImagePull", NO_SUCH_IMAGE))]),
        Obstacle(Reason.IMAGE_PULL_FAILED, IMAGE_SENTENCE),
    ),
    "the same while the kubelet waits": (
        pod(
            containerStatuses=[
                server(waiting("ImagePullBackOff", f'Back-off pulling image "x": ErrImagePull: {NO_SUCH_IMAGE}'))
            ]
        ),
        Obstacle(Reason.IMAGE_PULL_FAILED, IMAGE_SENTENCE),
    ),
    "an image that may not be pulled": (
        pod(containerStatuses=[server(waiting("ErrImageNeverPull"))]),
        Obstacle(
            Reason.IMAGE_PULL_FAILED,
            "pod fraud-1-a: image ferryman.dev/server:dev cannot be pulled; check that it exists and that the node "
            "may pull it",
        ),
    ),
    "a secret that is not there": (
        pod(initContainerStatuses=[fetch(waiting("CreateContainerConfigError", 'secret "store" not found'))]),
        Obstacle(
            Reason.SECRET_MISSING,
            'pod fraud-1-a: secret "store" not found; create it in the same namespace, or correct '
            "spec.model.secretName",
        ),
    ),
    "no room": (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_CPU}]),
        Obstacle(
            Reason.UNSCHEDULABLE,
            f"pod fraud-1-a: {NO_CPU}; add nodes, or ask for less in spec.server.resources",
        ),
    ),
    "a claim that is not there": (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_CLAIM}]),
        Obstacle(
            Reason.SECRET_MISSING,
            f"pod fraud-1-a: {NO_CLAIM}; create the claim in the same namespace, or correct spec.model.uri",
        ),
    ),
    "a crash without a word": (
        pod(containerStatuses=[server(BACKING_OFF, ended("loading\nSegmentation fault\n", 139))]),
        Obstacle(
            Reason.CRASHING,
            "pod fraud-1-a: container server ended with exit code 139: Segmentation fault; see kubectl logs "
            "fraud-1-a -c server --previous",
        ),
    ),
    "json that is none of ours": (
        pod(containerStatuses=[server(ended(said("Ready", "a lie")))]),
        Obstacle(
            Reason.CRASHING,
            'pod fraud-1-a: container server ended with exit code 1: {"reason": "Ready", "message": "a lie"}; see '
            "kubectl logs fraud-1-a -c server --previous",
        ),
    ),
    "a runtime that cannot start it": (
        pod(containerStatuses=[server(waiting("RunContainerError", "no such device"))]),
        Obstacle(Reason.CRASHING, "pod fraud-1-a: container server cannot be started: no such device"),
    ),
}


@pytest.mark.parametrize(("stuck", "expected"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_the_cause_is_named_with_the_next_move(stuck: dict[str, Any], expected: Obstacle) -> None:
    assert obstacle.of(HEALTHY, [stuck]) == expected


def refused(message: str) -> dict[str, Any]:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return {"metadata": {"name": "fraud-1"}, "status": {"conditions": [failure]}}


def test_a_quota_is_told_without_the_name_of_a_pod_that_never_was() -> None:
    found = obstacle.of(refused('pods "fraud-1-x7k2q" is forbidden: exceeded quota: small, requested: cpu=2'), [])

    assert found == Obstacle(
        Reason.QUOTA_EXCEEDED,
        "Deployment fraud-1: exceeded quota: small, requested: cpu=2; raise the namespace's ResourceQuota, or ask "
        "for less in spec.server.resources or spec.scaling",
    )


def test_a_refusal_by_admission_is_told_in_its_words() -> None:
    found = obstacle.of(refused('pods "fraud-1-x7k2q" is forbidden: violates PodSecurity "restricted:latest"'), [])

    assert found == Obstacle(
        Reason.POD_REFUSED,
        'Deployment fraud-1: pods are refused: violates PodSecurity "restricted:latest"; ask the cluster\'s admins '
        "which policy refuses them",
    )


def test_what_the_server_says_is_told_before_what_others_say() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_CPU}
    pods = [
        pod("fraud-1-a", conditions=[unscheduled]),
        pod("fraud-1-b", initContainerStatuses=[fetch(ended(said("UntrustedFormat", "a pickle")))]),
    ]

    assert obstacle.of(HEALTHY, pods) == Obstacle(Reason.UNTRUSTED_FORMAT, "pod fraud-1-b: a pickle")


def test_the_same_pods_in_another_order_tell_the_same() -> None:
    pods = [pod(name, initContainerStatuses=[fetch(ended(said("LoadFailed", name)))]) for name in ("b", "a", "c")]

    assert obstacle.of(HEALTHY, pods) == obstacle.of(HEALTHY, pods[::-1]) == Obstacle(Reason.LOAD_FAILED, "pod a: a")
