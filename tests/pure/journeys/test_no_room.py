"""NoSurge: the pods of one revision, divided between two; and the only pod, which is stopped only with leave."""

from __future__ import annotations

import pytest
from pure.simulation import Cluster, serving

from ferryman.api.status import Phase

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def no_surge(pods: int, percent: int | None = None, **rollout: object) -> Cluster:
    """Return a cluster in which v1 serves on so many pods, and there is no room for more."""
    policy: dict[str, object] = {"surge": "NoSurge", "deadlineSeconds": 60, **rollout}
    if percent is not None:
        policy["canary"] = {"trafficPercent": percent}
    return serving(rollout=policy, scaling={"replicas": pods})


def pods(cluster: Cluster) -> tuple[int, int]:
    """Return how many pods v1 and v2 are to have."""
    return cluster.desired[cluster.revision(V1)], cluster.desired[cluster.revision(V2)]


def test_without_spare_room_a_canary_takes_its_pods_from_stable() -> None:
    cluster = no_surge(4, percent=50)

    cluster.model(V2)
    cluster.settle()

    assert (pods(cluster), cluster.weights()) == ((2, 2), {V1: 50, V2: 50})


def test_without_spare_room_stable_gives_up_a_pod_only_when_the_last_one_carries_weight() -> None:
    cluster = no_surge(4, percent=100)
    cluster.model(V2)
    seen: list[tuple[tuple[int, int], dict[str, int]]] = []

    for _ in range(40):
        cluster.reconcile()
        cluster.ready()
        if cluster.status.candidate is None and cluster.status.phase is Phase.STABLE and seen:
            break
        if ("Deployment", "x") not in cluster.children and cluster.status.candidate and cluster.running() >= {V2}:
            state = (pods(cluster), cluster.weights())
            if not seen or seen[-1] != state:
                seen.append(state)

    assert max(stable + candidate for (stable, candidate), _ in seen) <= 4
    assert all(stable >= 1 for (stable, _), _ in seen)
    assert [weights.get(V2, 0) for _, weights in seen] == sorted(weights.get(V2, 0) for _, weights in seen)
    cluster.settle()
    assert (cluster.stable, cluster.desired[cluster.revision(V2)]) == (V2, 4)


def test_without_spare_room_a_mirror_costs_stable_one_pod() -> None:
    cluster = no_surge(4, shadow={"percent": 100})

    cluster.model(V2)
    cluster.settle()

    assert (cluster.status.phase, pods(cluster)) == (Phase.SHADOWING, (3, 1))


def test_an_abort_without_spare_room_gives_stable_its_pods_back() -> None:
    """Case 92."""
    cluster = no_surge(4, percent=50)
    cluster.model(V2)
    cluster.settle()

    cluster.annotate("abort", cluster.revision(V2))
    cluster.reconcile()
    assert cluster.weights() == {V1: 100}
    cluster.settle()

    assert cluster.desired[cluster.revision(V1)] == 4


def test_one_pod_without_spare_room_is_not_stopped_without_leave() -> None:
    cluster = no_surge(1)
    cluster.model(V2)

    cluster.settle()
    cluster.wait(10_000)
    cluster.settle()

    assert (cluster.status.phase, cluster.running()) == (Phase.STARTING, {V1})
    assert cluster.condition("CandidateHealthy") == ("False", "DowntimeNeeded")
    assert cluster.condition("Available") == ("True", "StableServes")
    assert cluster.status.waiting is not None
    assert "allowDowntime" in cluster.status.waiting.unblocked_by


def test_one_pod_without_spare_room_cannot_be_split() -> None:
    cluster = no_surge(1, percent=50, allowDowntime=True)

    cluster.model(V2)
    cluster.settle()

    assert cluster.running() == {V1}
    assert cluster.condition("CandidateHealthy") == ("False", "NoSplit")


def test_with_leave_the_only_pod_makes_room_and_the_candidate_takes_over() -> None:
    cluster = no_surge(1, allowDowntime=True)
    cluster.model(V2)
    for _ in range(3):
        cluster.reconcile()
    assert pods(cluster) == (0, 1)
    assert cluster.condition("Available") == ("False", "StoppedForCandidate")

    cluster.settle()

    assert (cluster.stable, cluster.running()) == (V2, {V2})


def test_a_candidate_that_cannot_load_gives_the_only_pod_back_before_its_deadline() -> None:
    cluster = no_surge(1, allowDowntime=True, deadlineSeconds=3600)
    cluster.broken.add(V2)
    cluster.model(V2)

    for _ in range(12):
        cluster.reconcile()
        cluster.ready()
        cluster.wait(2)

    assert (cluster.running(), cluster.available[cluster.revision(V1)]) == ({V1}, 1)
    assert cluster.condition("CandidateHealthy") == ("False", "LoadFailed")


def test_leave_that_comes_later_lets_a_held_candidate_go_on() -> None:
    cluster = no_surge(1)
    cluster.model(V2)
    cluster.settle()
    cluster.wait(10_000)

    cluster.patch(rollout={"surge": "NoSurge", "allowDowntime": True, "deadlineSeconds": 60})
    cluster.settle()

    assert cluster.stable == V2


def test_without_istio_several_pods_are_not_divided() -> None:
    cluster = Cluster(mesh=False)
    cluster.patch(rollout={"surge": "NoSurge"}, scaling={"replicas": 3})
    cluster.settle()

    cluster.model(V2)
    cluster.settle()

    assert (cluster.running(), cluster.desired[cluster.revision(V1)]) == ({V1}, 3)
    assert cluster.condition("CandidateHealthy") == ("False", "IstioMissing")


def test_a_held_candidate_that_leaves_never_gets_a_pod() -> None:
    """Found on the cluster: the pod was made at the moment in which the candidate left."""
    cluster = no_surge(1)
    cluster.model(V2)
    cluster.settle()

    cluster.model(V1)
    cluster.settle()

    assert cluster.running() == {V1}
    assert [cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"] == [V1]


@pytest.mark.parametrize("everything", [2, 3, 4, 6, 7, 12])
def test_without_spare_room_any_number_of_pods_comes_to_its_end(everything: int) -> None:
    """Found by chance: three pods stayed at 67/33 for ever, for one percent of rounding."""
    cluster = no_surge(everything)
    cluster.gpus = everything

    cluster.model(V2)
    cluster.settle(limit=200)

    assert (cluster.stable, cluster.desired[cluster.revision(V2)]) == (V2, everything)


def test_a_number_that_falls_after_the_only_pod_was_stopped_gives_it_back() -> None:
    """Found by the explorer: both pods were wanted where there was room for one."""
    cluster = no_surge(1, percent=100, allowDowntime=True)
    cluster.gpus = 1
    cluster.model(V2)
    cluster.reconcile()
    cluster.reconcile()
    cluster.ready()
    assert cluster.available[cluster.revision(V2)] == 1

    cluster.patch(rollout={"surge": "NoSurge", "allowDowntime": True, "canary": {"trafficPercent": 10}})
    cluster.settle()

    assert (cluster.weights(), cluster.available[cluster.revision(V1)]) == ({V1: 100}, 1)
    assert cluster.condition("CandidateHealthy") == ("False", "NoSplit")


def test_the_only_pod_is_not_stopped_when_a_candidate_beside_it_loses_its_pod() -> None:
    """Found by the explorer: nobody had allowed downtime, and stable was scaled to zero."""
    cluster = serving(rollout={"canary": {"trafficPercent": 10}}, scaling={"replicas": 1})
    cluster.model(V2)
    cluster.settle()
    cluster.patch(rollout={"canary": {"trafficPercent": 10}, "surge": "NoSurge"})
    cluster.settle()

    cluster.lose(cluster.revision(V2))
    cluster.reconcile()

    assert (cluster.weights(), cluster.desired[cluster.revision(V1)]) == ({V1: 100}, 1)


def test_a_candidate_keeps_its_pod_when_somebody_deletes_the_deployment_of_stable() -> None:
    """Found by chance: it was scaled to zero in the same look, with chosen requests on it."""
    match = [{"cookie": {"name": "beta", "value": "yes"}}]
    cluster = serving(rollout={"canary": {"trafficPercent": 0, "match": match}}, scaling={"replicas": 1})
    cluster.model(V2)
    cluster.settle()
    cluster.patch(rollout={"canary": {"trafficPercent": 0, "match": match}, "surge": "NoSurge"})

    cluster.delete_by_hand("Deployment", cluster.revision(V1))
    cluster.reconcile()
    assert cluster.available[cluster.revision(V2)] == 1
    cluster.settle()

    assert (cluster.available[cluster.revision(V1)], cluster.available[cluster.revision(V2)]) == (1, 1)
