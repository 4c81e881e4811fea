"""Deletions of every kind, with the operator up and down: nothing of ours stays, nothing of others' goes."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from api_tier.kubectl import Kubectl, until
from api_tier.operator_process import OperatorProcess
from api_tier.served import CHILDREN, Served

V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}

Body = dict[str, Any]


def left(kubectl: Kubectl) -> set[tuple[str, str]]:
    """Return what has a child's name, a pod's name, or is a ReplicaSet of one, whatever its labels say."""
    every = kubectl.list(f"{CHILDREN},replicasets,pods")
    return {
        (each["kind"], each["metadata"]["name"]) for each in every if each["metadata"]["name"].startswith("fraud")
    }


def stays_gone(served: Served, seconds: float = 3.0) -> None:
    until(lambda: not left(served.kubectl), what="everything of it is gone")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not left(served.kubectl), "nothing is made again"
        time.sleep(0.3)


def starting(served: Served) -> None:
    served.apply("s3://models/slow")
    until(lambda: served.revision("candidate"), what="the first candidate is named")


def in_mid_canary(served: Served) -> None:
    served.apply(V1, rollout=TEN)
    served.rests("Stable", "100/0")
    served.apply(V2, rollout=TEN)
    served.rests("Canary", "90/10")


def promoting(served: Served) -> None:
    in_mid_canary(served)
    served.canary(100)
    until(lambda: served.status().get("phase") != "Canary", what="it is being promoted")


def going_back(served: Served) -> None:
    in_mid_canary(served)
    served.canary(0)
    until(lambda: served.revision("candidate") is None, what="it is going back")


@pytest.mark.parametrize("cascade", ["background", "foreground"])
@pytest.mark.parametrize("station", [starting, in_mid_canary, promoting, going_back])
def test_a_deletion_at_any_station_leaves_nothing(fraud: Served, station: Any, cascade: str) -> None:
    station(fraud)

    fraud.kubectl("delete", "mdep", "fraud", f"--cascade={cascade}", "--timeout=30s")

    stays_gone(fraud)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_a_deletion_needs_no_operator(fraud: Served, operator: OperatorProcess, cascade: str) -> None:
    in_mid_canary(fraud)
    operator.kill()
    try:
        fraud.kubectl("delete", "mdep", "fraud", f"--cascade={cascade}", "--timeout=30s")
        until(lambda: not left(fraud.kubectl), what="everything of it is gone")
    finally:
        operator.start()
    stays_gone(fraud)


@pytest.mark.parametrize("up", [True, False], ids=["operator up", "operator down"])
def test_orphans_stay_as_they_are(fraud: Served, operator: OperatorProcess, up: bool) -> None:
    in_mid_canary(fraud)
    before = left(fraud.kubectl)
    split = fraud.weights()
    if not up:
        operator.kill()
    try:
        fraud.kubectl("delete", "mdep", "fraud", "--cascade=orphan", "--timeout=30s")
    finally:
        if not up:
            operator.start()

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert left(fraud.kubectl) == before
        time.sleep(0.5)
    assert fraud.weights() == split
    assert not any(each["metadata"].get("ownerReferences") for each in fraud.children()), "nobody took them"


def test_a_name_that_is_used_again_at_once_begins_anew(fraud: Served) -> None:
    in_mid_canary(fraud)
    first = fraud.read()["metadata"]["uid"]

    for _ in range(3):
        fraud.kubectl("delete", "mdep", "fraud", "--wait=false")
        until(lambda: fraud.kubectl.get("mdep", "fraud") is None, what="the old one is gone")
        fraud.apply(V1, rollout=TEN)

    fraud.rests("Stable", "100/0", within=40)
    mine = fraud.read()["metadata"]["uid"]
    assert mine != first
    until(lambda: owned(fraud) == {mine}, what="every child is the new one's")
    assert fraud.revision("candidate") is None
    assert len([name for kind, name in left(fraud.kubectl) if kind == "Deployment"]) == 1
    until(lambda: fraud.condition("Ready").get("status") == "True", what="it is ready")
    told = {event["reason"] for event in fraud.kubectl.list("events.v1.events.k8s.io")}
    assert "NameConflict" not in told, "what is left of the one before is waited for in peace"


def test_a_deletion_in_the_foreground_and_the_same_name_again(fraud: Served) -> None:
    in_mid_canary(fraud)

    fraud.kubectl("delete", "mdep", "fraud", "--cascade=foreground", "--timeout=30s")
    fraud.apply(V2)

    fraud.rests("Stable", "100/0", within=40)
    assert owned(fraud) == {fraud.read()["metadata"]["uid"]}


def owned(served: Served) -> set[str]:
    """Return the owners of all that has a child's name."""
    every = [each for each in served.kubectl.list(CHILDREN) if each["metadata"]["name"].startswith("fraud")]
    return {reference["uid"] for each in every for reference in each["metadata"].get("ownerReferences", [])}


def test_what_a_stranger_made_outlives_the_model(fraud: Served) -> None:
    spec = {"ports": [{"port": 1}]}
    labels = {"ferryman.dev/deployment": "fraud"}
    fraud.kubectl.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine", "labels": labels}, "spec": spec}
    )
    in_mid_canary(fraud)

    fraud.kubectl("delete", "mdep", "fraud")

    stays_gone(fraud)
    assert fraud.kubectl.get("service", "mine") is not None


@pytest.mark.parametrize("up", [True, False], ids=["operator up", "operator down"])
def test_a_namespace_with_many_models_goes_whole_and_comes_back(
    admin: Kubectl, operator: OperatorProcess, up: bool
) -> None:
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster = admin.inside(None)
    cluster("create", "namespace", name)
    kubectl = admin.inside(name)
    models = [Served(kubectl, f"fraud-{number}") for number in range(10)]
    for model in models:
        model.apply(V1)
    for model in models:
        model.rests("Stable", "100/0", within=60)
    if not up:
        operator.kill()
    try:
        cluster("delete", "namespace", name, "--timeout=50s")
    finally:
        if not up:
            operator.start()
    assert cluster.get("namespace", name) is None

    cluster("create", "namespace", name)
    models[0].apply(V2)
    models[0].rests("Stable", "100/0", within=40)
    assert {each["metadata"]["labels"]["ferryman.dev/deployment"] for each in kubectl.list("deployments")} == {
        "fraud-0"
    }
    assert "Traceback" not in operator.log()
    cluster("delete", "namespace", name, "--wait=false")
