"""What the operator sees beyond a ModelDeployment's own children: Events about its pods, and the room on nodes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_tier import installation
from api_tier.direct import connected
from api_tier.kubectl import Kubectl, Refused, until
from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import client as clients
from ferryman.cluster import kinds, observe, refusal
from ferryman.cluster.mesh import Mesh
from ferryman.cluster.nodes import REFUSED_SECONDS, REMEMBER_SECONDS, Nodes
from ferryman.observed import Node
from ferryman.render import names
from localcluster import controlplane

NODE = "node-of-the-test"
NOW = "2026-01-01T00:00:00Z"


@pytest.fixture
def operator_rights(plane: controlplane.ControlPlane, admin: Kubectl) -> Path:
    return plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)


@pytest.fixture
def node(admin: Kubectl) -> Iterator[str]:
    admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": now}
    capacity = {"cpu": "4", "memory": "8Gi", "pods": "110", "nvidia.com/gpu": "2"}
    status = {"capacity": capacity, "allocatable": capacity, "conditions": [{**ready, "lastTransitionTime": now}]}
    patch_status(admin, "node", NODE, status)
    until(lambda: not taints(admin), what="the node is open to pods")
    yield NODE
    admin("delete", "node", NODE)


def taints(admin: Kubectl) -> Any:
    found = admin.get("node", NODE)
    return found is None or found["spec"].get("taints")


def patch_status(kubectl: Kubectl, kind: str, name: str, status: dict[str, Any]) -> None:
    kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))


def pod(name: str, *, bound: bool = True, labels: dict[str, str] | None = None, **requests: str) -> dict[str, Any]:
    resources = {"requests": requests, "limits": {key: requests[key] for key in requests if "/" in key}}
    container = {"name": "server", "image": "none", "resources": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [container],
            **({"nodeName": NODE} if bound else {}),
        },
    }


def make(kubectl: Kubectl, *bodies: dict[str, Any]) -> None:
    until(lambda: kubectl.get("serviceaccount", "default"), what="the namespace is complete")
    kubectl.apply(*bodies)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_room_on_a_node_is_what_its_pods_leave(
    operator_rights: Path, node: str, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PAGE", 2)  # so that there are several
    running = [pod(f"runs-{number}", cpu="500m") for number in range(4)]
    make(
        kubectl,
        *running,
        pod("gpu", **{"nvidia.com/gpu": "1"}),
        pod("leaving", cpu="250m"),
        pod("done", cpu="1"),
        pod("failed", cpu="1"),
        pod("nowhere", bound=False, cpu="1"),
    )
    patch_status(kubectl, "pod", "done", {"phase": "Succeeded"})
    patch_status(kubectl, "pod", "failed", {"phase": "Failed"})
    kubectl("delete", "pod", "leaving", "--wait=false")

    async with connected(operator_rights) as client:
        found = await Nodes(client, Clock())()

    assert found is not None
    room = next(each for each in found if each.name == node)
    total = {"cpu": 4.0, "memory": 8 * 2.0**30, "pods": 110.0, "nvidia.com/gpu": 2.0}
    free = {"cpu": 1.75, "memory": 8 * 2.0**30, "pods": 104.0, "nvidia.com/gpu": 1.0}
    assert room == Node(node, free=free, total=total)


async def test_one_look_at_the_nodes_serves_for_a_while(operator_rights: Path, node: str, admin: Kubectl) -> None:
    clock = Clock()
    async with connected(operator_rights) as client:
        nodes = Nodes(client, clock)
        assert has(await nodes(), node)
        admin("cordon", node)

        clock.now = REMEMBER_SECONDS - 1
        assert has(await nodes(), node)
        clock.now = REMEMBER_SECONDS
        assert not has(await nodes(), node)


async def test_an_operator_without_the_right_sees_no_nodes_and_asks_seldom(
    plane: controlplane.ControlPlane, admin: Kubectl, node: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ferryman.cluster.nodes")
    clock = Clock()
    async with connected(plane.kubeconfig_of("somebody", ("system:authenticated",))) as client:
        nodes = Nodes(client, clock)
        assert await nodes() is None
        clock.now = REFUSED_SECONDS
        assert await nodes() is None
        assert len(caplog.records) == 1, "it is told once"

        cluster = admin.inside(None)
        cluster("create", "clusterrole", "sees-nodes", "--verb=list", "--resource=nodes,pods")
        cluster("create", "clusterrolebinding", "sees-nodes", "--clusterrole=sees-nodes", "--user=somebody")
        try:
            until(lambda: may(admin), what="the right is granted")
            clock.now = 2 * REFUSED_SECONDS - 1
            assert await nodes() is None, "it is not asked again so soon"
            clock.now = 2 * REFUSED_SECONDS
            assert has(await nodes(), node)
        finally:
            cluster("delete", "clusterrolebinding,clusterrole", "sees-nodes")


@pytest.fixture
def elsewhere(tmp_path: Path, operator_rights: Path, plane: controlplane.ControlPlane) -> Path:
    """The rights of the operator at an apiserver that does not answer."""
    [closed] = controlplane.free_ports(1)
    path = tmp_path / "kubeconfig"
    path.write_text(operator_rights.read_text().replace(plane.url, f"https://127.0.0.1:{closed}"))
    return path


async def test_an_apiserver_that_does_not_answer_leaves_the_room_unknown(elsewhere: Path) -> None:
    async with connected(elsewhere) as client:
        assert await Nodes(client, Clock())() is None


def test_the_right_to_see_nodes_is_for_the_whole_cluster_alone() -> None:
    assert "nodes" in resources("ClusterRole", installation.chart())
    assert "nodes" not in resources("Role", installation.chart("watchNamespaces={a,b}"))
    assert "pods" in resources("Role", installation.chart("watchNamespaces={a,b}"))


def resources(kind: str, chart: str) -> set[str]:
    roles = [body for body in yaml.safe_load_all(chart) if body and body["kind"] == kind]
    return {resource for role in roles for rule in role["rules"] for resource in rule["resources"]}


async def test_a_volume_that_cannot_be_mounted_is_told_by_the_pods_events(
    operator_rights: Path, kubectl: Kubectl
) -> None:
    owner = owned(kubectl)
    labels = {names.LABEL_DEPLOYMENT: "fraud", names.LABEL_REVISION: "fraud-1"}
    make(kubectl, deployment(owner, labels, replicas=1), pod("fraud-1-a", labels=labels))
    event(kubectl, "fraud-1-a", "FailedMount", "MountVolume.SetUp failed for volume models: no such server")
    later = datetime.now(UTC) + timedelta(minutes=1)

    async with connected(operator_rights) as client:
        soon = await observe.observe(client, Mesh(client, Clock()), owner, datetime.now(UTC))
        late = await observe.observe(client, Mesh(client, Clock()), owner, later)

    assert soon.backend("fraud-1").obstacle is None
    found = late.backend("fraud-1").obstacle
    assert found is not None
    assert found.reason is Reason.VOLUME_FAILED
    assert "no such server" in found.message


async def test_a_quota_is_told_with_the_rights_of_the_chart(operator_rights: Path, kubectl: Kubectl) -> None:
    owner = owned(kubectl)
    labels = {names.LABEL_DEPLOYMENT: "fraud", names.LABEL_REVISION: "fraud-1"}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    make(kubectl, quota)
    until(lambda: (kubectl.get("resourcequota", "small") or {})["status"].get("hard"), what="the quota holds")
    make(kubectl, deployment(owner, labels, replicas=1))
    later = datetime.now(UTC) + timedelta(minutes=1)

    async with connected(operator_rights) as client:
        until(lambda: refused(kubectl), what="the pod is refused")
        found = (await observe.observe(client, Mesh(client, Clock()), owner, later)).backend("fraud-1").obstacle
        sets = await client.list(kinds.REPLICA_SET, owner.namespace, f"{names.LABEL_REVISION}=fraud-1")

    assert found is not None
    assert found.reason is Reason.QUOTA_EXCEEDED
    assert refusal.of({"metadata": {"name": "fraud-1"}}, sets) == found, "the ReplicaSets alone tell it, too"


def owned(kubectl: Kubectl) -> ObjectMeta:
    """Return an owner that no operator looks after."""
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fraud"}})
    found = kubectl.get("configmap", "fraud")
    assert found is not None
    metadata = found["metadata"]
    return ObjectMeta(
        name="fraud", namespace=metadata["namespace"], uid=metadata["uid"], generation=1, resource_version="1"
    )


def deployment(owner: ObjectMeta, labels: dict[str, str], replicas: int) -> dict[str, Any]:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name, "uid": owner.uid, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "fraud-1", "labels": labels, "ownerReferences": [reference]},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod("x", bound=False)["spec"]},
        },
    }


def event(kubectl: Kubectl, name: str, reason: str, note: str) -> None:
    """Tell an Event as a kubelet does."""
    found = kubectl.get("pod", name)
    assert found is not None
    metadata = found["metadata"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    regarding = {"kind": "Pod", "name": name, "namespace": metadata["namespace"], "uid": metadata["uid"]}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.1"},
            "involvedObject": {"apiVersion": "v1", **regarding},
            "type": "Warning",
            "reason": reason,
            "message": note,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": "kubelet", "host": NODE},
        }
    )


def refused(kubectl: Kubectl) -> bool:
    found = kubectl.get("deployment", "fraud-1")
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "ReplicaFailure" and each["status"] == "True" for each in conditions)


def may(admin: Kubectl) -> bool:
    try:
        return "yes" in admin("auth", "can-i", "list", "nodes", "--as=somebody")
    except Refused:
        return False


def has(nodes: tuple[Node, ...] | None, name: str) -> bool:
    return any(each.name == name for each in nodes or ())
