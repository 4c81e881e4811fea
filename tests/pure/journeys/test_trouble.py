"""What goes wrong on the way: a candidate, the registry, the status, a child, a lost write, no Istio."""

from __future__ import annotations

import pytest
from pure.simulation import Cluster, KilledError, serving

from ferryman.api.conditions import Reason
from ferryman.api.status import Phase
from ferryman.outcome import Unresolved

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def canary(percent: int) -> dict[str, object]:
    return {"canary": {"trafficPercent": percent}}


def test_a_candidate_that_never_becomes_ready_is_rolled_back_with_its_cause() -> None:
    cluster = serving(rollout={**canary(10), "deadlineSeconds": 60})
    cluster.broken.add(V3)

    cluster.model(V3)
    cluster.settle()

    assert cluster.weights() == {V1: 100}
    assert cluster.status.rejected is not None
    assert cluster.status.rejected.reason == "LoadFailed"
    assert cluster.condition("CandidateHealthy") == ("False", "LoadFailed")
    assert cluster.condition("Available") == ("True", "StableServes")
    assert cluster.condition("Ready") == ("False", "LoadFailed")


def test_the_cause_is_told_before_the_deadline() -> None:
    cluster = serving(rollout={**canary(10), "deadlineSeconds": 600})
    cluster.broken.add(V3)

    cluster.model(V3)
    cluster.reconcile()
    cluster.reconcile()

    assert cluster.status.phase is Phase.STARTING
    assert cluster.condition("CandidateHealthy") == ("False", "LoadFailed")


def test_a_rejected_revision_does_not_come_back_for_another_number() -> None:
    cluster = serving(rollout={**canary(10), "deadlineSeconds": 60})
    cluster.broken.add(V3)
    cluster.model(V3)
    cluster.settle()

    cluster.percent(50)
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (None, {V1: 100})


def test_a_rejected_revision_is_tried_again_after_another_was_asked_for() -> None:
    cluster = serving(rollout={**canary(10), "deadlineSeconds": 60})
    cluster.broken.add(V3)
    cluster.model(V3)
    cluster.settle()
    cluster.broken.clear()

    cluster.model(V1)
    cluster.settle()
    cluster.model(V3)
    cluster.settle()

    assert cluster.weights() == {V1: 90, V3: 10}


def test_a_candidate_whose_pods_vanish_loses_its_weight_before_anything_else() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()
    lost = cluster.revision(V2)

    cluster.lose(lost)
    plan = cluster.plan()

    assert plan.objects[0]["kind"] == "VirtualService"
    cluster.reconcile()
    assert cluster.weights() == {V1: 100}
    assert cluster.status.phase is Phase.STARTING
    cluster.settle()
    assert cluster.weights() == {V1: 50, V2: 50}


def test_a_registry_that_does_not_answer_leaves_the_canary_alone() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()

    cluster.unresolved = Unresolved(Reason.REGISTRY_UNAVAILABLE, "no answer")
    cluster.settle()

    assert cluster.weights() == {V1: 50, V2: 50}
    assert cluster.condition("ModelResolved") == ("Unknown", "RegistryUnavailable")
    assert cluster.condition("Ready") == ("False", "RegistryUnavailable")


def test_without_istio_a_canary_stays_dark_and_says_so() -> None:
    cluster = Cluster(mesh=False)
    cluster.patch(rollout=canary(10))
    cluster.settle()

    cluster.model(V2)
    cluster.settle()

    assert cluster.status.phase is Phase.DARK
    assert cluster.condition("Routed") == ("False", "IstioMissing")
    cluster.percent(100)
    cluster.settle()
    assert cluster.stable == V2
    assert cluster.observed().front == cluster.revision(V2)


def test_a_wiped_status_is_rebuilt_without_moving_traffic() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()
    children = dict(cluster.children)

    cluster.status = type(cluster.status)()
    cluster.settle()

    assert cluster.weights() == {V1: 50, V2: 50}
    assert cluster.stable == V1
    assert cluster.children == children


def test_an_address_that_was_deleted_by_hand_is_back_before_the_route_names_it() -> None:
    cluster = serving()
    cluster.delete_by_hand("VirtualService", "fraud")
    cluster.delete_by_hand("Service", cluster.revision(V1))

    kinds = [body["kind"] for body in cluster.plan().objects]
    cluster.settle()

    assert kinds.index("Service") < kinds.index("VirtualService")
    assert cluster.weights() == {V1: 100}


def test_the_drain_begins_only_when_the_route_is_seen_without_the_revision() -> None:
    """Contract line 4: the write of the route is lost, again and again; the pods stay."""
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()
    leaving = cluster.revision(V2)
    cluster.model(V1)

    for _ in range(3):
        with pytest.raises(KilledError):
            cluster.reconcile(die_after=1 if cluster.status.candidate else 0)
        cluster.wait(60)
    assert (cluster.weights(), cluster.available[leaving]) == ({V1: 50, V2: 50}, 1)
    cluster.reconcile()
    cluster.reconcile()
    assert cluster.weights() == {V1: 100}

    assert cluster.available[leaving] == 1
    cluster.settle()
    assert cluster.running() == {V1}


def test_a_registry_that_does_not_answer_says_nothing_against_a_version_that_serves() -> None:
    """Found on the cluster: a model that nobody touched was not Ready while the registry was slow."""
    cluster = serving(model={"uri": "models:/fraud/7"})
    before = cluster.status

    cluster.unresolved = Unresolved(Reason.REGISTRY_UNAVAILABLE, "no answer")
    cluster.reconcile()

    assert cluster.status == before


def test_a_registry_that_does_not_answer_leaves_open_what_an_alias_means() -> None:
    cluster = serving(model={"uri": "models:/fraud@live"})

    cluster.unresolved = Unresolved(Reason.REGISTRY_UNAVAILABLE, "no answer")
    cluster.reconcile()

    assert cluster.condition("ModelResolved") == ("Unknown", "RegistryUnavailable")
    assert cluster.condition("Available") == ("True", "StableServes")
