"""The day of a user, up to the point where requests flow: what stands in the cluster at each station."""

from __future__ import annotations

from typing import Any

from api_tier.kubectl import until
from api_tier.served import Served

V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}


def test_a_first_revision_is_started_and_then_served(fraud: Served) -> None:
    fraud.apply(V1)

    fraud.rests("Stable", "100/0")

    stable = fraud.revision("stable")
    assert fraud.names() == {
        ("Deployment", stable),
        ("Service", stable),
        ("HorizontalPodAutoscaler", stable),
        ("DestinationRule", stable),
        ("Service", f"{stable}-canary"),
        ("DestinationRule", f"{stable}-canary"),
        ("Service", "fraud"),
        ("VirtualService", "fraud"),
    }
    assert fraud.weights() == {stable: 100}


def test_every_child_belongs_to_its_modeldeployment(fraud: Served) -> None:
    fraud.apply(V1)

    fraud.rests("Stable", "100/0")

    owner = {
        "apiVersion": "ferryman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "fraud",
        "uid": fraud.read()["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    owners = [child["metadata"]["ownerReferences"] for child in fraud.children()]
    assert owners == [[owner]] * len(fraud.names())


def test_a_patched_number_moves_traffic_and_100_promotes_without_a_restart(fraud: Served) -> None:
    v1, v2 = _canary_at_10(fraud)
    before = _texts(fraud)
    assert fraud.weights() == {v1: 90, v2: 10}

    fraud.canary(50)
    fraud.rests("Canary", "50/50")
    assert fraud.weights() == {v1: 50, v2: 50}

    fraud.canary(100)
    fraud.rests("Stable", "100/0")

    assert fraud.revision("stable") == v2
    assert fraud.weights() == {v2: 100}
    left = {("Deployment", v1)}  # kept, without pods and without addresses
    until(lambda: {child for child in fraud.names() if child[1].startswith(v1)} == left, what="the old one is cold")
    assert _texts(fraud)[v2] == before[v2]


def test_0_after_traffic_rolls_back_and_prunes_after_the_drain(fraud: Served) -> None:
    v1, v2 = _canary_at_10(fraud)

    fraud.canary(0)

    until(lambda: fraud.weights() == {v1: 100}, what="all traffic is back")
    until(lambda: not any(v2 == name for _, name in fraud.names()), what="the candidate is gone")
    fraud.rests("Stable", "100/0")
    assert fraud.status()["withdrawn"] == v2
    assert fraud.condition("CandidateHealthy")["reason"] == "CandidateWithdrawn"


def test_a_raised_number_brings_a_withdrawn_candidate_back(fraud: Served) -> None:
    v1, v2 = _canary_at_10(fraud)
    fraud.canary(0)
    until(lambda: fraud.status().get("withdrawn") == v2, what="the candidate is withdrawn")

    fraud.canary(20)

    fraud.rests("Canary", "80/20")
    assert fraud.weights() == {v1: 80, v2: 20}


def test_the_old_uri_rolls_back(fraud: Served) -> None:
    v1, v2 = _canary_at_10(fraud)

    fraud.apply(V1, rollout=TEN)

    until(lambda: fraud.weights() == {v1: 100}, what="all traffic is back")
    until(lambda: not any(v2 == name for _, name in fraud.names()), what="the candidate is gone")
    fraud.rests("Stable", "100/0")
    assert fraud.condition("Ready")["status"] == "True"


def test_a_third_revision_replaces_the_candidate_and_not_the_stable_one(fraud: Served) -> None:
    v1, v2 = _canary_at_10(fraud)

    fraud.apply("s3://models/v3", rollout=TEN)

    until(lambda: fraud.revision("candidate") not in {None, v2}, what="the third revision is the candidate")
    fraud.rests("Canary", "90/10")
    assert fraud.weights() == {v1: 90, fraud.revision("candidate"): 10}
    until(lambda: not any(v2 == name for _, name in fraud.names()), what="the middle one is gone")


def test_a_shadow_is_mirrored_to_and_has_no_weight(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    v1 = fraud.revision("stable")

    fraud.apply(V2, rollout={"shadow": {"percent": 25}})
    fraud.rests("Shadowing", "100/0")

    rule = (fraud.kubectl.get("virtualservice", "fraud") or {})["spec"]["http"][-1]
    v2 = fraud.revision("candidate")
    assert fraud.weights() == {v1: 100}
    [mirror] = rule["mirrors"]
    assert mirror["destination"]["host"].startswith(f"{v2}.")
    assert mirror["percentage"] == {"value": 25}
    until(lambda: fraud.status()["traffic"]["shadowDisplay"] == "25%", what="status tells what the route says")


def test_a_candidate_that_is_not_ready_by_the_deadline_is_rolled_back_with_the_cause(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    v1 = fraud.revision("stable")

    fraud.apply("s3://models/broken", rollout={**TEN, "deadlineSeconds": 10})

    until(lambda: fraud.condition("CandidateHealthy").get("reason") == "ArtifactCorrupt", 15, "the cause is told")
    until(lambda: fraud.status().get("rejected"), what="it is rejected")
    fraud.rests("Stable", "100/0")
    assert fraud.weights() == {v1: 100}
    assert "the files of s3://models/broken are incomplete" in fraud.condition("CandidateHealthy")["message"]
    assert fraud.condition("Ready")["status"] == "False"
    until(lambda: len([name for kind, name in fraud.names() if kind == "Deployment"]) == 1, what="its pods are gone")


def test_more_pods_than_one_are_there_before_weight_rises(fraud: Served) -> None:
    scaling = {"minReplicas": 4, "maxReplicas": 4}
    fraud.apply(V1, scaling=scaling)
    fraud.rests("Stable", "100/0")

    fraud.apply(V2, scaling=scaling, rollout={"canary": {"trafficPercent": 50}})
    fraud.rests("Canary", "50/50", within=60)

    candidate = fraud.kubectl.get("deployment", str(fraud.revision("candidate")))
    assert candidate is not None
    assert candidate["status"]["availableReplicas"] == 2


def _canary_at_10(fraud: Served) -> tuple[Any, Any]:
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    fraud.apply(V2, rollout=TEN)
    fraud.rests("Canary", "90/10")
    return fraud.revision("stable"), fraud.revision("candidate")


def _texts(fraud: Served) -> dict[str, tuple[str, int]]:
    """Return each Deployment's identity and the number of its text: what a restart would change."""
    return {
        child["metadata"]["name"]: (child["metadata"]["uid"], child["metadata"]["generation"])
        for child in fraud.children()
        if child["kind"] == "Deployment"
    }
