"""The days of a user: what they did, and what they saw. The simulated cluster checks the promises at every write."""

from __future__ import annotations

from pure.simulation import Cluster, serving

from ferryman.api.status import Phase

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def canary(percent: int) -> dict[str, object]:
    return {"canary": {"trafficPercent": percent}}


def test_the_first_revision_serves_all_traffic_once_it_is_ready() -> None:
    cluster = Cluster()

    cluster.reconcile()
    assert cluster.status.phase is Phase.PENDING
    assert cluster.route() is None
    cluster.settle()

    assert cluster.status.phase is Phase.STABLE
    assert cluster.weights() == {V1: 100}
    assert cluster.condition("Ready") == ("True", "Ready")


def test_without_a_rollout_a_new_revision_is_promoted_when_ready() -> None:
    cluster = serving()

    cluster.model(V2)
    cluster.settle()

    assert cluster.stable == V2
    assert cluster.weights() == {V2: 100}
    assert cluster.running() == {V2}


def test_a_canary_is_held_at_its_number_until_the_number_moves() -> None:
    cluster = serving(rollout=canary(10))

    cluster.model(V2)
    cluster.settle()
    assert (cluster.status.phase, cluster.weights()) == (Phase.CANARY, {V1: 90, V2: 10})
    cluster.percent(50)
    cluster.settle()

    assert (cluster.status.phase, cluster.weights()) == (Phase.CANARY, {V1: 50, V2: 50})
    assert cluster.condition("Ready") == ("True", "Ready")


def test_one_hundred_promotes_without_touching_a_pod() -> None:
    cluster = serving(rollout=canary(10))
    cluster.model(V2)
    cluster.settle()
    promoted = cluster.revision(V2)
    deployment = cluster.children["Deployment", promoted]

    cluster.percent(100)
    cluster.settle()

    assert (cluster.stable, cluster.candidate) == (V2, None)
    assert cluster.weights() == {V2: 100}
    assert cluster.children["Deployment", promoted] == deployment


def test_zero_after_traffic_rolls_back_and_a_new_number_brings_it_back() -> None:
    cluster = serving(rollout=canary(10))
    cluster.model(V2)
    cluster.settle()

    cluster.percent(0)
    cluster.settle()
    assert (cluster.status.phase, cluster.weights()) == (Phase.STABLE, {V1: 100})
    assert cluster.condition("CandidateHealthy") == ("False", "CandidateWithdrawn")
    cluster.percent(20)
    cluster.settle()

    assert (cluster.status.phase, cluster.weights()) == (Phase.CANARY, {V1: 80, V2: 20})


def test_a_revision_that_was_replaced_and_comes_back_starts_anew() -> None:
    cluster = serving(rollout=canary(10))
    cluster.model(V2)
    cluster.settle()

    cluster.model(V3)
    cluster.percent(0)
    cluster.reconcile()
    cluster.model(V2)
    cluster.settle()

    assert (cluster.status.phase, cluster.candidate, cluster.weights()) == (Phase.DARK, V2, {V1: 100})


def test_zero_from_the_start_is_a_dark_launch() -> None:
    cluster = serving(rollout=canary(0))

    cluster.model(V2)
    cluster.settle()

    assert cluster.status.phase is Phase.DARK
    assert cluster.weights() == {V1: 100}
    assert cluster.available[cluster.revision(V2)] == 1
    assert cluster.condition("Ready") == ("True", "Ready")


def test_the_old_spec_back_ends_the_run_in_one_step() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()

    cluster.model(V1)
    cluster.reconcile()

    assert cluster.weights() == {V1: 100}
    cluster.settle()
    assert (cluster.stable, cluster.candidate, cluster.status.phase) == (V1, None, Phase.STABLE)


def test_a_rollback_that_waits_for_the_drain_does_not_blame_the_route() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()
    leaving = cluster.revision(V2)

    cluster.model(V1)
    cluster.reconcile()
    cluster.reconcile()

    ready = next(claim for claim in cluster.status.conditions if claim.type == "Ready")
    assert cluster.condition("Routed") == ("True", "RouteProgrammed")
    assert (ready.status, ready.reason) == ("False", "UnderWay")
    assert leaving in ready.message


def test_traffic_is_told_as_the_route_has_it_also_while_a_revision_leaves() -> None:
    cluster = serving(rollout=canary(20))
    cluster.model(V2)
    cluster.settle()

    cluster.percent(0)
    cluster.reconcile()

    assert cluster.status.traffic is not None
    assert (cluster.status.candidate, cluster.status.traffic.display) == (None, "80/20")
    cluster.reconcile()
    assert cluster.status.traffic.display == "100/0"


def test_a_third_revision_takes_the_place_of_the_second_at_weight_zero() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()

    cluster.model(V3)
    cluster.reconcile()
    assert cluster.weights() == {V1: 100}
    assert cluster.candidate == V3
    cluster.settle()

    assert cluster.weights() == {V1: 50, V3: 50}
    assert V2 not in {cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"}


def test_weight_waits_for_the_pods_that_it_needs() -> None:
    cluster = serving(scaling={"minReplicas": 4, "maxReplicas": 8}, rollout=canary(25))
    cluster.model(V2)
    cluster.settle()
    candidate = cluster.revision(V2)
    assert cluster.desired[candidate] == 1

    cluster.percent(75)
    cluster.reconcile()
    assert cluster.weights() == {V1: 75, V2: 25}
    assert cluster.desired[candidate] == 3
    cluster.available[candidate] = 2
    cluster.reconcile()
    assert cluster.weights() == {V1: 75, V2: 25}
    cluster.available[candidate] = 3
    cluster.reconcile()

    assert cluster.weights() == {V1: 25, V2: 75}


def test_promotion_waits_for_the_pods_that_stable_has_now() -> None:
    cluster = serving(scaling={"minReplicas": 1, "maxReplicas": 8}, rollout=canary(10))
    cluster.desired[cluster.revision(V1)] = 5
    cluster.ready()
    cluster.model(V2)
    cluster.settle()

    cluster.percent(100)
    cluster.reconcile()

    assert cluster.weights() == {V1: 90, V2: 10}
    assert cluster.desired[cluster.revision(V2)] == 5


def test_stable_does_not_shrink_while_a_candidate_runs() -> None:
    cluster = serving(rollout=canary(50))
    cluster.model(V2)
    cluster.settle()

    scaler = cluster.children["HorizontalPodAutoscaler", cluster.revision(V1)]

    assert scaler["spec"]["behavior"] == {"scaleDown": {"selectPolicy": "Disabled"}}


def test_scaling_and_routing_make_no_new_revision() -> None:
    cluster = serving()
    before = cluster.revision(V1)

    routing = {"hosts": ["a.example.com"], "gateways": ["istio-system/ingress"]}
    cluster.patch(scaling={"minReplicas": 3}, routing=routing)
    cluster.settle()

    assert cluster.revision(V1) == before
    assert cluster.desired[before] == 3


def test_a_server_setting_makes_a_new_revision() -> None:
    cluster = serving()
    before = cluster.revision(V1)

    cluster.patch(server={"warmup": {"requests": 7}})
    cluster.settle()

    assert cluster.status.stable is not None
    assert cluster.status.stable.revision != before
    assert cluster.status.phase is Phase.STABLE


def test_gpus_bring_their_image_and_their_toleration() -> None:
    cluster = Cluster()
    cluster.patch(server={"resources": {"limits": {"nvidia.com/gpu": 1}}})
    cluster.settle()

    pod = cluster.children["Deployment", cluster.revision(V1)]["spec"]["template"]["spec"]

    assert pod["containers"][0]["image"] == "server:1-gpu"
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
