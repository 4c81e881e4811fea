"""How the operator behaves as a process and as a citizen of the cluster."""

from __future__ import annotations

import time
from typing import Any

import pytest

from api_tier.kubectl import Refused, until
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from localcluster import controlplane, errors

V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}


def test_nothing_is_written_after_convergence(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    until(lambda: fraud.condition("Ready").get("status") == "True", what="it is ready")
    before = _versions(fraud)

    changes = _watch_for_changes(fraud, before, seconds=15)

    assert changes == {}


def test_an_operator_killed_in_mid_canary_ends_in_the_same_place(fraud: Served, operator: OperatorProcess) -> None:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    v1 = fraud.revision("stable")
    fraud.apply(V2, rollout=TEN)
    until(lambda: fraud.revision("candidate"), what="the candidate is recorded")

    operator.kill()
    fraud.canary(30)
    operator.start()

    fraud.rests("Canary", "70/30")
    assert fraud.weights() == {v1: 70, fraud.revision("candidate"): 30}


def test_an_apiserver_that_was_away_is_followed_again(
    fraud: Served, operator: OperatorProcess, plane: controlplane.ControlPlane
) -> None:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")

    plane.stop_component("kube-apiserver")
    until(lambda: _starts(plane), 60, "the apiserver is back")
    fraud.apply(V2, rollout=TEN)

    fraud.rests("Canary", "90/10", within=60)
    assert operator.exit_code() is None, "it outlives an apiserver"


def test_a_wiped_status_is_rebuilt_from_the_children(fraud: Served, operator: OperatorProcess) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    v1, uids = fraud.revision("stable"), _uids(fraud)

    fraud.kubectl("patch", "mdep", "fraud", "--subresource=status", "--type=merge", "-p", '{"status":null}')

    until(lambda: fraud.revision("stable") == v1, what="the stable revision is known again")
    fraud.rests("Stable", "100/0")
    assert _uids(fraud) == uids


def test_a_change_by_hand_is_reverted(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    v1 = fraud.revision("stable")

    fraud.kubectl("patch", "service", "fraud", "--type=merge", "-p", '{"spec":{"selector":{"a":"stranger"}}}')
    fraud.kubectl("delete", "virtualservice", "fraud")

    until(lambda: fraud.weights() == {v1: 100}, what="the route is back")
    until(lambda: "a" not in _selector(fraud), what="the selector is as it was")


def test_a_strangers_service_is_never_overwritten(fraud: Served) -> None:
    ports = [{"port": 1}]
    stranger = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fraud"}, "spec": {"ports": ports}}
    fraud.kubectl.apply(stranger)

    fraud.apply(V1)

    until(lambda: "NameConflict" in _events(fraud), what="the conflict is told")
    assert "ownerReferences" not in (fraud.kubectl.get("service", "fraud") or {})["metadata"]

    fraud.kubectl("delete", "service", "fraud")
    fraud.rests("Stable", "100/0", within=60)


def test_deletion_leaves_nothing_even_while_the_operator_is_down(fraud: Served, operator: OperatorProcess) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")

    operator.kill()
    try:
        fraud.kubectl("delete", "mdep", "fraud", "--timeout=10s")
        until(lambda: not fraud.children(), what="every child is gone")
    finally:
        operator.start()

    gone = f'name="fraud",namespace="{fraud.kubectl.namespace}"'
    until(lambda: gone not in operator.metrics(), what="its metrics are gone")


def test_a_registry_that_does_not_answer_is_told_within_15_seconds(fraud: Served) -> None:
    fraud.apply("models:/fraud@champion")

    until(lambda: fraud.condition("ModelResolved").get("status") == "Unknown", 15, "ModelResolved is Unknown")

    assert fraud.condition("ModelResolved")["reason"] == "RegistryUnavailable"
    assert fraud.children() == []


def test_a_registry_that_does_not_answer_leaves_what_serves_alone(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    before = _uids(fraud)

    fraud.apply("models:/fraud/7")

    until(lambda: fraud.condition("ModelResolved").get("status") == "Unknown", 15, "ModelResolved is Unknown")
    assert fraud.condition("Available")["status"] == "True"
    assert fraud.weights() == {fraud.revision("stable"): 100}
    assert _uids(fraud) == before


def test_status_speaks_of_the_generation_that_was_asked_for(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")

    fraud.patch(scaling={"minReplicas": 2})

    until(lambda: fraud.status()["observedGeneration"] == fraud.read()["metadata"]["generation"])
    generations = {each["observedGeneration"] for each in fraud.status()["conditions"]}
    assert generations == {fraud.read()["metadata"]["generation"]}


def test_kubectl_get_tells_the_rollout_in_one_line(fraud: Served) -> None:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    fraud.apply(V2, rollout=TEN)
    fraud.rests("Canary", "90/10")
    until(lambda: fraud.condition("Ready").get("status") == "True", what="it is ready")

    titles, line = fraud.kubectl("get", "mdep", "-o", "wide").splitlines()

    columns = ["NAME", "READY", "PHASE", "STEP", "STABLE", "CANDIDATE", "TRAFFIC", "SHADOW"]
    columns += ["URL", "REASON", "WAITING", "AGE"]
    assert titles.split() == columns
    v1, v2 = fraud.revision("stable"), fraud.revision("candidate")
    shown = ["fraud", "True", "Canary", v1, v2, "90/10", "-", "http://fraud.example.com", "Ready", "Number"]
    assert line.split()[:-1] == shown
    assert "fraud" in fraud.kubectl("get", "models")


def test_the_story_of_a_canary_is_told_in_events(fraud: Served) -> None:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    fraud.apply(V2, rollout=TEN)
    fraud.rests("Canary", "90/10")

    until(lambda: {"CandidateStarted", "Serving", "TrafficMoved"} <= _events(fraud), what="the events are there")


def test_the_spec_is_never_written(fraud: Served) -> None:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")

    found = fraud.kubectl("get", "mdep", "fraud", "-o", "json", "--show-managed-fields")

    assert "f:spec" in found
    managers = _managers(fraud)
    assert managers["ferryman-status"] == {"f:status"}
    assert "f:spec" in managers["kubectl-client-side-apply"]


def test_the_operator_may_not_read_secrets(fraud: Served) -> None:
    asked = ("auth", "can-i", "--as", "system:serviceaccount:ferryman-system:ferryman")

    for verb in ("get", "list", "watch"):
        with pytest.raises(Refused):
            fraud.kubectl(*asked, verb, "secrets")
    assert fraud.kubectl(*asked, "patch", "deployments").strip() == "yes"


def test_the_operator_is_small_and_makes_few_errors(fraud: Served, operator: OperatorProcess) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")

    metrics = operator.metrics()

    assert operator.resident_megabytes() < 200
    assert (
        f'ferryman_traffic_weight_percent{{name="fraud",namespace="{fraud.kubectl.namespace}",track="stable"}} 100.0'
        in metrics
    )
    assert 'ferryman_writes_total{kind="Deployment",verb="apply"}' in metrics
    assert 'error="Forbidden"' not in metrics


def _starts(plane: controlplane.ControlPlane) -> bool:
    """Bring the plane back; a client that dials the dead port may hold it for a moment."""
    try:
        plane.start()
    except errors.ClusterError:
        return False
    return True


def _versions(fraud: Served) -> dict[tuple[str, str], str]:
    every = [*fraud.children(), fraud.read()]
    return {(each["kind"], each["metadata"]["name"]): _version(each) for each in every}


def _version(child: dict[str, Any]) -> str:
    """Return what a write of the operator would change; an autoscaler's status is written by its controller."""
    if child["kind"] == "HorizontalPodAutoscaler":
        return repr((child["spec"], child["metadata"]["annotations"]))
    return child["metadata"]["resourceVersion"]


def _watch_for_changes(fraud: Served, before: dict[tuple[str, str], str], seconds: float) -> dict[Any, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = _versions(fraud)
        if now != before:
            return {key: (before.get(key), now.get(key)) for key in before if before[key] != now.get(key)}
        time.sleep(0.5)
    return {}


def _uids(fraud: Served) -> dict[tuple[str, str], str]:
    return {(each["kind"], each["metadata"]["name"]): each["metadata"]["uid"] for each in fraud.children()}


def _selector(fraud: Served) -> dict[str, str]:
    return (fraud.kubectl.get("service", "fraud") or {})["spec"]["selector"]


def _events(fraud: Served) -> set[str]:
    events = fraud.kubectl.list("events.v1.events.k8s.io")
    return {event["reason"] for event in events if event["regarding"].get("kind") == "ModelDeployment"}


def _managers(fraud: Served) -> dict[str, set[str]]:
    entries = fraud.kubectl.list("mdep", "--show-managed-fields")[0]["metadata"]["managedFields"]
    return {entry["manager"]: set(entry["fieldsV1"]) for entry in entries}
