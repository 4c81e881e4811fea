"""Faults that a day by chance has found, each as a person would have met it. The contract is held at every write."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from pure import contract
from pure.simulation import Cluster, KilledError

from ferryman.api.status import Phase

V1, V2 = "s3://models/v1", "s3://models/v2"
NO_SURGE: dict[str, Any] = {"deadlineSeconds": 60, "surge": "NoSurge"}


def world(pods: int = 1, rollout: dict[str, Any] | None = None, **cluster: Any) -> Cluster:
    """Return a cluster in which v1 serves on a fixed number of pods."""
    made = Cluster(**cluster)
    made.patch(scaling={"replicas": pods}, rollout={"deadlineSeconds": 60} if rollout is None else rollout)
    return made.settle()


def looks(cluster: Cluster, times: int) -> None:
    """Let the operator look, pods become ready and a second pass, so many times."""
    for _ in range(times):
        cluster.reconcile()
        cluster.ready()
        cluster.wait(1)


def ends(cluster: Cluster) -> None:
    cluster.settle(limit=200)
    contract.at_rest(cluster)


def test_a_candidate_without_room_keeps_its_pods_while_its_share_rises_again() -> None:
    cluster = world(4, {**NO_SURGE, "canary": {"trafficPercent": 34}})
    cluster.model(V2)
    cluster.settle()
    cluster.percent(10)
    looks(cluster, 1)

    cluster.patch(rollout={**NO_SURGE, "canary": {"steps": [{"trafficPercent": 100}]}})

    ends(cluster)
    assert cluster.weights() == {V2: 100}


def test_stable_keeps_its_pods_when_all_traffic_comes_back_to_it() -> None:
    cluster = world(4)
    cluster.model(V2)
    looks(cluster, 3)

    cluster.patch(rollout=NO_SURGE)
    cluster.lose(cluster.revision(V2))
    cluster.reconcile()

    assert cluster.desired[cluster.revision(V1)] >= 3  # one fewer is the price of having no room
    ends(cluster)


def test_without_istio_nobody_becomes_stable_with_fewer_pods_than_it_needs() -> None:
    cluster = world(1, mesh=False)
    cluster.model(V2)
    looks(cluster, 2)

    cluster.patch(scaling={"minReplicas": 3, "maxReplicas": 6})

    ends(cluster)
    assert cluster.stable == V2


def test_without_istio_nobody_becomes_stable_when_that_is_not_wanted_any_more() -> None:
    cluster = world(1, mesh=False)
    cluster.model(V2)
    cluster.reconcile()
    cluster.ready()
    cluster.reconcile()
    assert cluster.status.phase is Phase.PROMOTING

    cluster.patch(scaling={"replicas": 3})
    cluster.patch(rollout={"canary": {"steps": [{"trafficPercent": 0, "pause": {}}, {"trafficPercent": 100}]}})

    ends(cluster)
    assert (cluster.stable, cluster.candidate) == (V1, V2)


def test_what_the_route_serves_is_stable_when_all_memory_is_lost() -> None:
    cluster = Cluster(gpus=2)
    cluster.patch(scaling={"minReplicas": 2, "maxReplicas": 2}, rollout={"deadlineSeconds": 60})
    cluster.settle()

    cluster.delete_by_hand("Service", "fraud")
    cluster.wipe()
    cluster.model(V2)

    ends(cluster)
    assert cluster.stable == V1


@pytest.mark.parametrize("told", ["a share", "an unknown verb"])
def test_there_is_no_room_for_two_only_because_the_candidate_got_stables_place(told: str) -> None:
    cluster = world(1, {**NO_SURGE, "allowDowntime": True}, gpus=1)
    cluster.model(V2)
    looks(cluster, 2)

    if told == "a share":
        cluster.patch(rollout={**NO_SURGE, "canary": {"trafficPercent": 10}})
    else:
        cluster.annotate("hurry", "fraud-00000000")

    ends(cluster)
    assert sum(cluster.available.values()) == 1


def test_an_autoscaler_that_is_not_wanted_any_more_does_not_fight_for_the_candidate() -> None:
    cluster = Cluster()
    canary = {"steps": [{"trafficPercent": 99}]}
    cluster.patch(scaling={"minReplicas": 1, "maxReplicas": 2}, rollout={"deadlineSeconds": 60, "canary": canary})
    cluster.settle()
    cluster.model(V2)
    looks(cluster, 2)

    cluster.patch(scaling={"replicas": 4})

    ends(cluster)
    assert cluster.desired[cluster.revision(V2)] == 4


@pytest.mark.parametrize("pods", range(2, 12))
def test_a_rollout_without_room_ends_with_any_number_of_pods(pods: int) -> None:
    cluster = world(pods, NO_SURGE, gpus=pods)

    cluster.model(V2)

    ends(cluster)
    assert cluster.weights() == {V2: 100}


def test_a_candidate_without_an_address_gets_no_further_pod_where_there_is_no_room() -> None:
    cluster = world(4, NO_SURGE, gpus=4)
    cluster.model(V2)
    looks(cluster, 2)

    cluster.delete_by_hand("Service", cluster.revision(V2))

    ends(cluster)
    assert cluster.weights() == {V2: 100}


def test_a_step_is_held_for_its_whole_time_again_after_a_loss() -> None:
    steps = [{"trafficPercent": 10, "pause": {"duration": "90s"}}, {"trafficPercent": 50}]
    cluster = world(1, {"deadlineSeconds": 60, "canary": {"steps": steps}})
    cluster.model(V2)
    looks(cluster, 4)
    cluster.wait(80)

    cluster.lose(cluster.revision(V2))
    cluster.reconcile()
    cluster.ready()
    looks(cluster, 30)

    assert cluster.weights() == {V1: 90, V2: 10}
    ends(cluster)
    assert cluster.weights() == {V1: 50, V2: 50}


def test_a_drain_begins_when_the_route_is_seen_without_the_revision() -> None:
    cluster = world(1, {"deadlineSeconds": 60, "canary": {"trafficPercent": 50}})
    cluster.model(V2)
    cluster.settle()
    left = cluster.revision(V2)

    cluster.annotate("abort", left)
    cluster.carry_out(cluster.look(), die_after=1, fate="lost")  # it is recorded, and the route is not written
    cluster.wait(11)
    looks(cluster, 2)

    assert cluster.weights() == {V1: 100}
    assert cluster.available[left] == 1
    ends(cluster)
    assert ("Deployment", left) not in cluster.children


def test_a_model_that_lost_status_deployment_and_front_service_at_once_goes_on_to_the_next_model() -> None:
    """It stayed Pending for ever, with the revision that the route names both stable and leaving."""
    cluster = world(1, {"deadlineSeconds": 60, "history": 0})
    cluster.delete_by_hand("Service", "fraud")
    cluster.delete_by_hand("Deployment", cluster.revision(V1))
    cluster.status = type(cluster.status)()
    with contextlib.suppress(KilledError):
        cluster.reconcile(die_after=2)

    cluster.model(V2)

    ends(cluster)
    assert (cluster.stable, cluster.running()) == (V2, {V2})


def test_a_route_deleted_by_hand_where_there_is_no_room_leaves_all_to_stable_for_a_look_and_comes_back() -> None:
    cluster = world(3, {**NO_SURGE, "canary": {"trafficPercent": 34}})
    cluster.model(V2)
    looks(cluster, 3)

    cluster.delete_by_hand("VirtualService", "fraud")

    ends(cluster)
    assert cluster.weights() == {V1: 66, V2: 34}
    assert cluster.desired == {cluster.revision(V1): 1, cluster.revision(V2): 2}


def test_a_held_candidate_whose_deployment_was_deleted_is_not_made_anew_where_there_is_no_room() -> None:
    steps = [{"trafficPercent": 0}, {"trafficPercent": 1}]
    cluster = world(1, {"deadlineSeconds": 60, "canary": {"steps": steps}})
    cluster.model(V2)
    looks(cluster, 4)
    candidate = cluster.revision(V2)
    cluster.delete_by_hand("Deployment", candidate)

    cluster.patch(rollout=NO_SURGE)
    cluster.reconcile()

    assert ("Deployment", candidate) not in cluster.children
    ends(cluster)


def test_a_loss_that_only_a_look_saw_whose_writes_never_came_is_no_loss() -> None:
    steps = [{"trafficPercent": 0, "pause": {"duration": "5s"}}, {"trafficPercent": 1}]
    match = [{"cookie": {"name": "beta", "value": "yes"}}]
    cluster = world(2, {"deadlineSeconds": 60, "canary": {"steps": steps, "match": match}})
    cluster.model(V2)
    looks(cluster, 3)
    candidate = cluster.revision(V2)

    cluster.ready(candidate, 0)
    cluster.look()  # and nothing of it is written
    cluster.ready(candidate, 1)

    ends(cluster)
    assert cluster.weights() == {V1: 99, V2: 1}


@pytest.mark.parametrize(
    "canary", [{"trafficPercent": 30}, {"steps": [{"shadowPercent": 100, "pause": {}}]}], ids=str
)
def test_a_share_that_was_held_up_on_its_way_does_not_come_after_the_candidate_has_gone(canary: Any) -> None:
    """The campaign's errors/shadow/hang-patch-virtualservices: a route led to a Service that had been removed."""
    cluster = world(1, {"deadlineSeconds": 60, "canary": canary})
    cluster.model(V2)
    for _ in range(10):
        look = cluster.look()
        writes = [write.kind for write in cluster.writes_of(look)]
        if "VirtualService" in writes and look.plan.status.candidate is not None and cluster.candidate == V2:
            split = next(body for body in look.plan.objects if body["kind"] == "VirtualService")["spec"]
            if cluster.revision(V2) in str(split):
                break
        cluster.carry_out(look)
        cluster.ready()
        cluster.wait(1)
    cluster.carry_out(look, writes.index("VirtualService"), fate="held up")
    [held], candidate = cluster.late, cluster.revision(V2)

    cluster.annotate("abort", candidate)
    cluster.settle()
    assert not cluster.addressed(candidate)

    assert not cluster.land(held)
    assert cluster.weights() == {V1: 100}
    ends(cluster)
