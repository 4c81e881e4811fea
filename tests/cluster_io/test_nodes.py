"""How much room the nodes have, as the scheduler reckons it."""

from __future__ import annotations

from typing import Any

import pytest

from ferryman.cluster import nodes
from ferryman.observed import Node


def node(
    name: str = "n1", *, ready: str = "True", spec: dict[str, Any] | None = None, **devices: str
) -> dict[str, Any]:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **{f"nvidia.com/{k}": v for k, v in devices.items()}}
    conditions = [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}]
    return {
        "metadata": {"name": name},
        "spec": spec or {},
        "status": {"allocatable": allocatable, "conditions": conditions},
    }


def tainted(*taints: tuple[str, str]) -> dict[str, Any]:
    return {"taints": [{"key": key, "effect": effect} for key, effect in taints]}


def container(requests: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests or {}}, **parts}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"nodeName": "n1", "containers": list(containers), **spec}}


REQUESTS = {
    "containers run together": (
        pod(container({"cpu": "500m"}), container({"cpu": "1", "memory": "1Gi"})),
        {"cpu": 1.5, "memory": 2.0**30},
    ),
    "a limit without a request is one": (
        pod({"name": "c", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "nvidia.com/gpu": "1"}}}),
        {"cpu": 1.0, "nvidia.com/gpu": 1.0},
    ),
    "a step of the initialization ends before the containers start": (
        pod(container({"cpu": "1"}), initContainers=[container({"cpu": "3"}), container({"memory": "1k"})]),
        {"cpu": 3.0, "memory": 1000.0},
    ),
    "a sidecar stays": (
        pod(
            container({"cpu": "1"}),
            initContainers=[container({"cpu": "2"}, restartPolicy="Always"), container({"cpu": "500m"})],
        ),
        {"cpu": 3.0},
    ),
    "a step runs beside the sidecars before it": (
        pod(
            container({"cpu": "1"}),
            initContainers=[container({"cpu": "2"}, restartPolicy="Always"), container({"cpu": "4"})],
        ),
        {"cpu": 6.0},
    ),
    "a runtime's overhead comes on top": (pod(container({"cpu": "1"}), overhead={"cpu": "250m"}), {"cpu": 1.25}),
    "what the pod asks for as a whole counts instead": (
        pod(container({"cpu": "1"}), resources={"requests": {"cpu": "2"}}),
        {"cpu": 2.0},
    ),
    "a pod that asks for nothing": (pod({"name": "c"}), {}),
}


@pytest.mark.parametrize(("body", "expected"), REQUESTS.values(), ids=REQUESTS.keys())
def test_a_pod_asks_for_what_the_scheduler_sets_aside(body: dict[str, Any], expected: dict[str, float]) -> None:
    assert nodes.request(body) == pytest.approx(expected)


def test_what_is_left_is_what_nobody_asked_for() -> None:
    found = nodes.taking(node(), {"n1": {"cpu": 1.5, "memory": 2.0**30, "pods": 2.0}})

    total = {"cpu": 4.0, "memory": 8 * 2.0**30, "pods": 110.0}
    assert found == Node("n1", free={"cpu": 2.5, "memory": 7 * 2.0**30, "pods": 108.0}, total=total)


def test_only_a_node_that_is_ready_and_open_takes_pods() -> None:
    closed = [
        node("not-ready", ready="False"),
        node("lost", ready="Unknown"),
        node("cordoned", spec={"unschedulable": True}),
        node("control-plane", spec=tainted(("node-role.kubernetes.io/control-plane", "NoSchedule"))),
        node("evicting", spec=tainted(("nvidia.com/gpu", "NoExecute"))),
        node("both", spec=tainted(("nvidia.com/gpu", "NoSchedule"), ("team", "NoSchedule"))),
    ]

    assert [nodes.taking(body, {}) for body in closed] == [None] * len(closed)


def test_a_node_for_gpus_is_for_those_who_ask_for_them() -> None:
    tolerated = node("gpus", spec=tainted(("nvidia.com/gpu", "NoSchedule")), gpu="8")
    preferred = node("soft", spec=tainted(("team", "PreferNoSchedule")))

    gpus, soft = nodes.taking(tolerated, {}), nodes.taking(preferred, {})

    assert gpus is not None
    assert gpus.gpu_only
    assert gpus.free["nvidia.com/gpu"] == 8.0
    assert soft is not None
    assert not soft.gpu_only


def test_a_node_that_says_nothing_has_no_room() -> None:
    assert nodes.taking({"metadata": {"name": "new"}}, {}) is None
