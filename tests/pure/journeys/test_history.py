"""Revisions that were stable: kept warm, kept cold, let go."""

from __future__ import annotations

from pure.simulation import Cluster, serving

V = [f"s3://models/v{number}" for number in range(8)]


def through(*uris: str, **rollout: object) -> Cluster:
    """Return a cluster that went through these models, each promoted when it was ready."""
    cluster = serving(rollout=rollout, model={"uri": uris[0]})
    for uri in uris[1:]:
        cluster.model(uri)
        cluster.settle()
    return cluster


def kept(cluster: Cluster) -> list[str]:
    return [each.revision.model.uri for each in cluster.status.history]


def test_the_last_three_revisions_are_kept_without_pods() -> None:
    cluster = through(*V[:6])

    assert kept(cluster) == [V[4], V[3], V[2]]
    assert cluster.running() == {V[5]}
    deployments = {cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"}
    assert deployments == set(V[2:6])


def test_a_revision_that_is_kept_without_pods_has_nothing_but_its_deployment() -> None:
    cluster = through(V[1], V[2])

    name = cluster.revision(V[1])

    assert [kind for kind, of in cluster.children if of.startswith(name)] == ["Deployment"]


def test_a_shorter_history_lets_the_oldest_go() -> None:
    cluster = through(*V[:4])

    cluster.patch(rollout={"history": 1})
    cluster.settle()

    assert kept(cluster) == [V[2]]
    assert {cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"} == {V[3], V[2]}


def test_no_history_keeps_nothing() -> None:
    cluster = through(V[1], V[2], history=0)

    assert kept(cluster) == []
    assert {cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"} == {V[2]}


def test_going_back_to_a_warm_revision_moves_traffic_in_two_looks_without_a_pod_start() -> None:
    cluster = serving(rollout={"standbySeconds": 600}, scaling={"minReplicas": 2})
    cluster.model(V[2])
    for _ in range(8):
        cluster.reconcile()
        cluster.ready()
    assert cluster.stable == V[2]
    cluster.wait(60)
    cluster.reconcile()
    assert cluster.available[cluster.revision(V[1])] == 2

    cluster.annotate("rollback", "previous")
    cluster.reconcile()
    cluster.reconcile()

    assert cluster.weights() == {V[1]: 100}


def test_a_revision_on_standby_gives_its_pods_up_when_its_time_is_over() -> None:
    cluster = through(V[1], V[2], standbySeconds=600)
    assert cluster.running() == {V[2]}  # settling waits for the end of every clock

    assert kept(cluster) == [V[1]]


def test_going_back_to_a_cold_revision_starts_its_pods_before_traffic_moves() -> None:
    cluster = through(V[1], V[2])
    cold = cluster.revision(V[1])
    assert cluster.desired[cold] == 0

    cluster.annotate("rollback", "previous")
    for _ in range(3):
        cluster.reconcile()
    assert (cluster.weights(), cluster.desired[cold]) == ({V[2]: 100}, 1)
    cluster.settle()

    assert cluster.weights() == {V[1]: 100}


def test_naming_an_old_model_in_the_spec_is_a_release_under_the_policy() -> None:
    cluster = through(V[1], V[2])

    cluster.patch(rollout={"canary": {"trafficPercent": 20}}, model={"uri": V[1]})
    cluster.settle()

    assert cluster.weights() == {V[2]: 80, V[1]: 20}
    assert kept(cluster) == [V[1]]


def test_a_kept_revision_that_is_tried_and_aborted_keeps_its_place() -> None:
    cluster = through(V[1], V[2], V[3])
    cluster.annotate("rollback", cluster.revision(V[1]))
    cluster.reconcile()

    cluster.annotate("abort", cluster.revision(V[1]))
    cluster.settle()

    assert (cluster.stable, kept(cluster)) == (V[3], [V[2], V[1]])


def test_somebody_who_deletes_a_kept_deployment_wants_it_gone() -> None:
    cluster = through(V[1], V[2])

    cluster.delete_by_hand("Deployment", cluster.revision(V[1]))
    cluster.settle()

    assert kept(cluster) == []


def test_the_history_survives_a_wiped_status() -> None:
    cluster = through(V[1], V[2], V[3])

    cluster.status = type(cluster.status)()
    cluster.settle()

    assert kept(cluster) == [V[2], V[1]]
