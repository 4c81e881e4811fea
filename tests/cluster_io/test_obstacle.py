"""What is read out of pods and Deployments, in the words that a kubelet, a scheduler and admission use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ferryman.api.conditions import Reason
from ferryman.cluster import obstacle, refusal
from ferryman.observed import Obstacle

WORDS = Path(__file__).parent / "words"
"""What a kubelet, a scheduler and a controller manager of Kubernetes 1.34 wrote, one file for each cause.

The two files about the model server's own end are put together from such words.
"""

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
            "pod fraud-1-a: no node has enough cpu (0/1 nodes are available: 1 Insufficient cpu); add nodes, or ask "
            "for less in spec.server.resources",
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
        "for a namespace with another PodSecurity level",
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


AMONG_REAL_WORDS = {
    "a-claim-that-is-not-there": (
        Reason.SECRET_MISSING,
        'pod fraud-1-a: 0/1 nodes are available: persistentvolumeclaim "models" not found; create the claim in the '
        "same namespace, or correct spec.model.uri",
    ),
    "a-limit-range": (
        Reason.POD_REFUSED,
        "Deployment fraud-1: pods are refused: maximum memory usage per Container is 1Gi, but limit is 2Gi; keep "
        "spec.server.resources within the namespace's LimitRange",
    ),
    "a-model-that-does-not-load": (
        Reason.LOAD_FAILED,
        "pod fraud-1-a: the model needs scikit-learn 2.0, the server has 1.7",
    ),
    "a-quota": (
        Reason.QUOTA_EXCEEDED,
        "Deployment fraud-1: exceeded quota: small, requested: requests.cpu=2, used: requests.cpu=0, limited: "
        "requests.cpu=1; raise the namespace's ResourceQuota, or ask for less in spec.server.resources or "
        "spec.scaling",
    ),
    "a-quota-that-wants-to-be-told": (
        Reason.QUOTA_EXCEEDED,
        "Deployment fraud-1: failed quota: small: must specify requests.cpu for: server; say in "
        "spec.server.resources what the namespace's ResourceQuota asks for",
    ),
    "a-runtime-that-cannot-start-it": (
        Reason.CRASHING,
        "pod fraud-1-a: container server cannot be started: failed to create containerd task: failed to create shim "
        "task: OCI runtime create failed: runc create failed: unable to start container process: exec: "
        '"/nothere": stat /nothere: no such file or directory: unknown',
    ),
    "a-secret-that-is-not-there": (
        Reason.SECRET_MISSING,
        'pod fraud-1-a: secret "store" not found; create it in the same namespace, or correct spec.model.secretName',
    ),
    "a-volume-that-cannot-be-mounted": (
        Reason.VOLUME_FAILED,
        'pod fraud-1-a: a volume cannot be mounted: MountVolume.SetUp failed for volume "models" : mount failed: '
        "exit status 32: mount: /var/lib/kubelet/pods/c577ba94-25bf-48b0-a294-dca7f8ed732b/volumes/"
        "kubernetes.io~nfs/models: unknown filesystem type 'nfs'.; check the claim that spec.model.uri names and the "
        "driver of its storage class on node node-1",
    ),
    "an-image-that-is-not-there": (
        Reason.IMAGE_PULL_FAILED,
        "pod fraud-1-a: image ferryman.dev/server:dev cannot be pulled (failed to pull and unpack image "
        '"ferryman.dev/server:dev": failed to resolve reference "ferryman.dev/server:dev": failed to do request: '
        'Head "https://ferryman.dev/v2/server/manifests/dev": dial tcp: lookup ferryman.dev on 10.96.0.10:53: no '
        "such host); check that it exists and that the node may pull it",
    ),
    "no-gpu": (
        Reason.UNSCHEDULABLE,
        "pod fraud-1-a: no node has enough nvidia.com/gpu (0/1 nodes are available: 1 Insufficient nvidia.com/gpu); "
        "add nodes, or ask for less in spec.server.resources",
    ),
    "no-room": (
        Reason.UNSCHEDULABLE,
        "pod fraud-1-a: no node has enough cpu, memory (0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient "
        "memory); add nodes, or ask for less in spec.server.resources",
    ),
    "out-of-memory": (
        Reason.OUT_OF_MEMORY,
        "pod fraud-1-a: container server was killed at its memory limit of 64Mi; raise "
        "spec.server.resources.limits.memory",
    ),
    "pod-security": (
        Reason.POD_REFUSED,
        'Deployment fraud-1: pods are refused: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != '
        'false (container "server" must set securityContext.allowPrivilegeEscalation=false), unrestricted '
        'capabilities (container "server" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true '
        '(pod or container "server" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container '
        '"server" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"); ask the '
        "cluster's admins for a namespace with another PodSecurity level",
    ),
}


@pytest.mark.parametrize("cause", AMONG_REAL_WORDS)
def test_the_cause_is_found_in_what_a_real_cluster_wrote(cause: str) -> None:
    assert told(words(cause)) == Obstacle(*AMONG_REAL_WORDS[cause])


def test_every_real_word_is_read() -> None:
    assert {file.stem for file in WORDS.glob("*.json")} == AMONG_REAL_WORDS.keys()


@pytest.mark.parametrize("cause", ["a-quota", "a-limit-range", "pod-security"])
def test_replica_sets_tell_what_their_deployment_does_not_tell_yet(cause: str) -> None:
    found = words(cause)
    found["deployment"]["status"]["conditions"] = []

    assert refusal.unexplained(found["deployment"], [], LATER)
    assert told(found) == Obstacle(*AMONG_REAL_WORDS[cause])


def test_a_deployment_is_given_time_to_say_why_it_lacks_pods() -> None:
    deployment = words("a-quota")["deployment"]
    assert not refusal.unexplained(deployment, [], LATER), "it says why"

    deployment["status"]["conditions"] = []
    assert not refusal.unexplained(deployment, [], SOON)
    assert not refusal.unexplained(deployment, [pod()], LATER), "its pod is there"
    assert refusal.unexplained(deployment, [pod(phase="Failed")], LATER)


def test_events_are_asked_for_about_a_pod_that_has_waited_without_a_word() -> None:
    stuck = words("a-volume-that-cannot-be-mounted")["pods"][0]

    assert obstacle.silent([stuck], LATER) == stuck
    assert obstacle.silent([stuck], SOON) is None


@pytest.mark.parametrize("cause", ["no-gpu", "an-image-that-is-not-there", "out-of-memory"])
def test_events_are_not_asked_for_where_the_status_says_enough(cause: str) -> None:
    assert obstacle.silent(words(cause)["pods"], LATER) is None


def test_events_are_not_asked_for_about_a_pod_that_is_fetching_or_loading() -> None:
    made = {"name": "fraud-1-a", "creationTimestamp": "2026-11-21T08:49:23Z"}
    for progress in ("starting", "fetched and loading"):
        assert obstacle.silent([{**NO_OBSTACLE[progress][0], "metadata": made}], LATER) is None


def test_what_went_wrong_once_is_forgotten_when_something_went_well_since() -> None:
    found = words("a-volume-that-cannot-be-mounted")
    mounted = {**found["events"][-1], "type": "Normal", "reason": "Pulling", "note": "Pulling image"}
    found["events"].append(mounted)

    assert told(found) is None, "in the same second"
    mounted["deprecatedLastTimestamp"] = "2026-11-21T08:50:03Z"
    assert told(found) is None


def test_what_befell_another_pod_is_not_told() -> None:
    found = words("a-volume-that-cannot-be-mounted")
    for event in found["events"]:
        event["regarding"]["uid"] = "another"

    assert told(found) is None


def test_a_sandbox_is_told_without_its_name_of_this_attempt() -> None:
    found = words("a-volume-that-cannot-be-mounted")
    latest = found["events"][-1]
    latest["reason"] = "FailedCreatePodSandBox"
    latest["note"] = (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
        f'"{"0123abcd" * 8}": plugin type="calico" failed (add): connection refused'
    )

    assert told(found) == Obstacle(
        Reason.NODE_FAILED,
        "pod fraud-1-a: its node cannot start it: Failed to create pod sandbox: rpc error: code = Unknown desc = "
        'failed to setup network for sandbox "...": plugin type="calico" failed (add): connection refused; ask the '
        "cluster's admins to look at node node-1",
    )


def test_a_container_that_cannot_be_started_is_told_the_same_while_the_kubelet_waits() -> None:
    trying = words("a-runtime-that-cannot-start-it")["pods"][0]
    waits = words("a-runtime-that-cannot-start-it")["pods"][0]
    waits["status"]["containerStatuses"][0]["state"] = BACKING_OFF

    assert obstacle.of(HEALTHY, [trying]) == obstacle.of(HEALTHY, [waits])


def test_a_memory_limit_under_which_nothing_comes_to_life_is_told_as_such() -> None:
    killed = "runc create failed: container init was OOM-killed (memory limit too low?): unknown"
    stuck = pod(containerStatuses=[server(BACKING_OFF, ended(killed, 128, "StartError"))])

    found = obstacle.of(HEALTHY, [stuck])

    assert found is not None
    assert found.reason is Reason.OUT_OF_MEMORY


def test_a_claim_without_a_volume_is_no_want_of_nodes() -> None:
    said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    unbound = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}

    assert obstacle.of(HEALTHY, [pod(conditions=[unbound])]) == Obstacle(
        Reason.UNSCHEDULABLE,
        "pod fraud-1-a: 0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims; see kubectl "
        "describe pvc for why the claim has no volume",
    )


SOON, LATER = (datetime(2026, 11, 21, 8, minute, 30, tzinfo=UTC) for minute in (49, 51))
"""Seven seconds, and two minutes, after the real pods were made."""


def words(cause: str) -> dict[str, Any]:
    return json.loads((WORDS / f"{cause}.json").read_text())


def told(found: dict[str, Any]) -> Obstacle | None:
    further = obstacle.Further(found.get("events", ()), found.get("replicaSets", ()))
    return obstacle.of(found.get("deployment", HEALTHY), found.get("pods", []), further)
