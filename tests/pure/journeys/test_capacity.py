"""How many pods each revision gets, by an autoscaler or by a fixed number."""

from __future__ import annotations

from pure.simulation import Cluster, serving

from ferryman.api.status import Phase

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def pods(cluster: Cluster) -> tuple[int, int]:
    """Return how many pods v1 and v2 are to have."""
    return cluster.desired[cluster.revision(V1)], cluster.desired[cluster.revision(V2)]


def test_a_fixed_number_of_pods_needs_no_autoscaler() -> None:
    cluster = serving(scaling={"replicas": 3})

    assert cluster.desired[cluster.revision(V1)] == 3
    assert not [name for kind, name in cluster.children if kind == "HorizontalPodAutoscaler"]


def test_a_candidate_gets_its_share_of_a_fixed_number() -> None:
    cluster = serving(scaling={"replicas": 4}, rollout={"canary": {"trafficPercent": 50}})

    cluster.model(V2)
    cluster.settle()

    assert pods(cluster) == (4, 2)


def test_a_fixed_number_that_falls_mid_canary_takes_nothing_from_stable() -> None:
    """TestRolloutScalingDuringUpdate; case 100."""
    cluster = serving(scaling={"replicas": 4}, rollout={"canary": {"trafficPercent": 50}})
    cluster.model(V2)
    cluster.settle()

    cluster.patch(scaling={"replicas": 2})
    cluster.settle()

    assert pods(cluster)[0] == 4
    cluster.percent(0)
    cluster.settle()
    assert cluster.desired[cluster.revision(V1)] == 2


def test_bounds_that_fall_mid_canary_take_nothing_from_stable() -> None:
    cluster = serving(scaling={"minReplicas": 1, "maxReplicas": 8}, rollout={"canary": {"trafficPercent": 50}})
    stable = cluster.revision(V1)
    cluster.desired[stable] = 6
    cluster.ready()
    cluster.model(V2)
    cluster.settle()

    cluster.patch(scaling={"minReplicas": 1, "maxReplicas": 2})
    cluster.settle()

    scaler = cluster.children["HorizontalPodAutoscaler", stable]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (6, 6)


def test_an_autoscaler_that_is_no_longer_wanted_goes_and_its_pods_stay() -> None:
    cluster = serving(scaling={"minReplicas": 3})

    cluster.patch(scaling={"replicas": 3})
    cluster.settle()

    assert cluster.desired[cluster.revision(V1)] == 3
    assert not [name for kind, name in cluster.children if kind == "HorizontalPodAutoscaler"]


def test_a_spec_and_a_number_of_pods_in_one_patch_both_hold() -> None:
    """TestSpecAndReplicaChangeSameTime; case 100."""
    cluster = serving(scaling={"replicas": 2}, rollout={"canary": {"trafficPercent": 50}})

    cluster.patch(model={"uri": V2}, scaling={"replicas": 6})
    cluster.settle()

    assert pods(cluster) == (6, 3)


def test_without_istio_a_promotion_waits_for_the_pods_that_it_needs() -> None:
    cluster = Cluster(mesh=False)
    cluster.settle()
    cluster.model(V2)
    while cluster.status.phase is not Phase.PROMOTING:
        cluster.reconcile()
        cluster.ready()

    cluster.patch(scaling={"minReplicas": 3})
    cluster.reconcile()

    assert cluster.stable == V1
    cluster.settle()
    assert (cluster.stable, cluster.available[cluster.revision(V2)]) == (V2, 3)


def test_fixed_pods_take_the_candidate_s_autoscaler_away_too() -> None:
    """Found by chance: the operator and the candidate's autoscaler undid each other for ever."""
    cluster = serving(scaling={"maxReplicas": 2}, rollout={"canary": {"trafficPercent": 99}})
    cluster.model(V2)
    cluster.settle()

    cluster.patch(scaling={"replicas": 4})
    cluster.settle()

    assert pods(cluster) == (4, 4)
    assert not [name for kind, name in cluster.children if kind == "HorizontalPodAutoscaler"]
