"""Plans of steps: what is pinned, what each gate waits for, and who may say something else."""

from __future__ import annotations

from typing import Any

import pytest
from pure.simulation import Cluster, serving

from ferryman.api.status import Phase

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def plan(*steps: dict[str, Any], **rollout: Any) -> dict[str, Any]:
    return {"canary": {"steps": list(steps)}, **rollout}


def step(percent: int, pause: str | None = None) -> dict[str, Any]:
    """Return a step; a pause of '' waits for a person."""
    gate: dict[str, Any] = {} if pause is None else {"pause": {"duration": pause} if pause else {}}
    return {"trafficPercent": percent, **gate}


def shadow_step(percent: int, pause: str | None = None) -> dict[str, Any]:
    gate: dict[str, Any] = {} if pause is None else {"pause": {"duration": pause} if pause else {}}
    return {"shadowPercent": percent, **gate}


def canary_of(*steps: dict[str, Any]) -> Cluster:
    """Return a cluster in which v1 serves and v2 has just been named under a plan."""
    cluster = serving(rollout=plan(*steps))
    cluster.model(V2)
    return cluster


def until(cluster: Cluster, weights: dict[str, int], looks: int = 30) -> None:
    """Let pods become ready and look, without time passing, until the route says so."""
    for _ in range(looks):
        cluster.reconcile()
        cluster.ready()
        if cluster.weights() == weights and cluster.plan().status == cluster.status:
            return
    raise AssertionError(f"{cluster.weights()} instead of {weights}, {cluster.status.phase}")


def test_steps_without_gates_run_through_to_promotion() -> None:
    cluster = canary_of(step(10), step(50), step(100))

    cluster.settle()

    assert (cluster.stable, cluster.candidate) == (V2, None)
    assert cluster.status.last_rollout is not None
    assert (cluster.status.last_rollout.outcome, cluster.status.last_rollout.reason) == ("Promoted", "Promoted")


def test_a_pause_holds_a_step_for_its_time_from_when_its_share_is_seen() -> None:
    cluster = canary_of(step(10, "60s"), step(100))
    until(cluster, {V1: 90, V2: 10})
    assert cluster.status.waiting is not None
    assert (cluster.status.waiting.cause, cluster.status.run.display if cluster.status.run else "") == (
        "Pause",
        "1/2",
    )

    cluster.wait(59)
    cluster.reconcile()
    assert cluster.weights() == {V1: 90, V2: 10}
    cluster.wait(1)
    cluster.settle()

    assert cluster.stable == V2


def test_a_pause_without_a_time_waits_for_a_person() -> None:
    cluster = canary_of(step(10, ""), step(50, ""), step(100))
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "Paused")
    cluster.wait(10_000)
    cluster.settle()
    assert cluster.weights() == {V1: 90, V2: 10}

    cluster.annotate("resume", cluster.revision(V2))
    cluster.settle()

    assert cluster.weights() == {V1: 50, V2: 50}


def test_the_last_step_stays_in_force_unless_it_is_100() -> None:
    cluster = canary_of(step(10), step(50))

    cluster.settle()

    assert (cluster.status.phase, cluster.weights()) == (Phase.CANARY, {V1: 50, V2: 50})
    assert cluster.condition("Ready") == ("True", "Ready")


def test_a_shadow_step_mirrors_and_gives_way_to_weight() -> None:
    cluster = canary_of(shadow_step(100, ""), step(10, ""), step(100))
    cluster.settle()
    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, [*route.mirrors.values()], cluster.weights()) == (Phase.SHADOWING, [100], {V1: 100})

    cluster.annotate("resume", cluster.revision(V2))
    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, dict(route.mirrors), cluster.weights()) == (Phase.CANARY, {}, {V1: 90, V2: 10})


def test_a_plan_is_pinned_for_a_run() -> None:
    cluster = canary_of(step(10, ""), step(100))
    cluster.settle()

    cluster.patch(rollout=plan(step(90)))
    cluster.settle()

    assert cluster.weights() == {V1: 90, V2: 10}
    assert cluster.status.run is not None
    assert len(cluster.status.run.steps) == 2


def test_a_number_in_the_place_of_steps_acts_at_once() -> None:
    cluster = canary_of(step(10, ""), step(100))
    cluster.settle()

    cluster.patch(rollout={"canary": {"trafficPercent": 30}})
    cluster.settle()

    assert cluster.weights() == {V1: 70, V2: 30}
    assert cluster.status.run is not None
    assert cluster.status.run.steps == []


def test_steps_in_the_place_of_a_number_are_adopted_from_their_first() -> None:
    cluster = serving(rollout={"canary": {"trafficPercent": 40}})
    cluster.model(V2)
    cluster.settle()

    cluster.patch(rollout=plan(step(20, ""), step(100)))
    cluster.settle()

    assert cluster.weights() == {V1: 80, V2: 20}


def test_a_third_revision_starts_at_the_first_step_of_the_plan_that_then_holds() -> None:
    """TestCanaryDuration_Superseded; case 93."""
    cluster = canary_of(step(10), step(50, ""), step(100))
    cluster.settle()
    assert cluster.weights() == {V1: 50, V2: 50}

    cluster.patch(rollout=plan(step(5, ""), step(100)))
    cluster.model(V3)
    cluster.settle()

    assert cluster.weights() == {V1: 95, V3: 5}
    assert cluster.status.last_rollout is not None
    assert cluster.status.last_rollout.outcome == "Superseded"


def test_a_step_that_needs_more_pods_waits_for_them_at_the_share_it_has() -> None:
    cluster = serving(rollout=plan(step(25), step(75, ""), step(100)), scaling={"minReplicas": 4, "maxReplicas": 8})
    cluster.model(V2)
    cluster.settle()
    assert cluster.weights() == {V1: 25, V2: 75}
    cluster.available[cluster.revision(V2)] = 3

    cluster.annotate("resume", cluster.revision(V2))
    cluster.reconcile()
    cluster.reconcile()

    assert cluster.weights() == {V1: 25, V2: 75}
    assert cluster.desired[cluster.revision(V2)] == 4
    assert cluster.status.waiting is not None
    assert cluster.status.waiting.cause == "Pods"


def test_a_clock_that_ran_ahead_is_taken_for_now_and_never_holds_a_step_for_ever() -> None:
    cluster = canary_of(step(10, "60s"), step(100))
    until(cluster, {V1: 90, V2: 10})

    cluster.wait(-86_400)
    cluster.reconcile()
    cluster.wait(60)
    cluster.settle()

    assert cluster.stable == V2


def test_a_step_clock_survives_an_operator_that_dies_at_every_write() -> None:
    cluster = canary_of(step(10, "60s"), step(100))
    until(cluster, {V1: 90, V2: 10})
    began = cluster.status.run.step_since if cluster.status.run else None

    cluster.wait(30)
    cluster.status = type(cluster.status)()  # a wiped status is rebuilt from the front Service's memory
    cluster.reconcile()

    assert cluster.status.run is not None
    assert (cluster.status.run.step, cluster.status.run.step_since) == (0, began)
    cluster.wait(30)
    cluster.settle()
    assert cluster.stable == V2


@pytest.mark.parametrize("mesh", [True, False])
def test_a_plan_of_one_step_of_100_is_promote_when_ready(mesh: bool) -> None:
    cluster = Cluster(mesh=mesh)
    cluster.patch(rollout=plan(step(100)))
    cluster.settle()

    cluster.model(V2)
    cluster.settle()

    assert cluster.stable == V2


def test_without_istio_a_plan_stays_at_its_first_share_until_a_person_promotes() -> None:
    cluster = Cluster(mesh=False)
    cluster.patch(rollout=plan(step(10), step(100)))
    cluster.settle()
    cluster.model(V2)
    cluster.settle()
    assert (cluster.stable, cluster.status.phase) == (V1, Phase.DARK)
    assert cluster.condition("Routed") == ("False", "IstioMissing")

    cluster.annotate("promote", cluster.revision(V2))
    cluster.settle()

    assert cluster.stable == V2


def test_chosen_requests_go_to_the_candidate_at_any_share() -> None:
    match = [{"headers": [{"name": "x-beta", "exact": "yes"}]}, {"cookie": {"name": "beta", "value": "1"}}]
    cluster = serving(rollout={"canary": {"trafficPercent": 0, "match": match}})
    cluster.model(V2)

    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, cluster.weights(), route.matched) == (Phase.DARK, {V1: 100}, cluster.revision(V2))
    assert cluster.status.traffic is not None
    assert cluster.status.traffic.matched
    calls, chosen, *_ = cluster.children["VirtualService", "fraud"]["spec"]["http"]
    asked = [{"x-beta": {"exact": "yes"}}, {"cookie": {"regex": "(.*; ?)?beta=1(;.*)?"}}]
    assert chosen["match"] == [{"headers": headers} for headers in asked]
    grpc = {"content-type": {"prefix": "application/grpc"}}
    assert calls["match"] == [{"headers": {**headers, **grpc}} for headers in asked]


def test_chosen_requests_do_not_make_a_dark_launch_a_withdrawal() -> None:
    match = [{"headers": [{"name": "x-beta", "exact": "yes"}]}]
    cluster = serving(rollout={"canary": {"trafficPercent": 0, "match": match}})
    cluster.model(V2)
    cluster.settle()

    cluster.wait(1000)
    cluster.settle()

    assert cluster.candidate == V2


def test_steps_that_begin_with_a_shadow_take_a_canary_s_weight_away_first() -> None:
    cluster = serving(rollout={"canary": {"trafficPercent": 40}})
    cluster.model(V2)
    cluster.settle()

    cluster.patch(rollout=plan(shadow_step(100, ""), step(100)))
    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, cluster.weights(), [*route.mirrors.values()]) == (Phase.SHADOWING, {V1: 100}, [100])


def test_without_istio_a_share_that_is_taken_back_mid_promotion_ends_it() -> None:
    cluster = Cluster(mesh=False)
    cluster.settle()
    cluster.model(V2)
    while cluster.status.phase is not Phase.PROMOTING:
        cluster.reconcile()
        cluster.ready()

    cluster.patch(rollout=plan(step(0, ""), step(100)), scaling={"replicas": 3})
    cluster.settle()

    assert (cluster.stable, cluster.status.phase) == (V1, Phase.DARK)


def test_the_pause_of_a_step_begins_anew_when_the_candidate_lost_all_its_pods() -> None:
    cluster = canary_of(step(10, "60s"), step(100))
    until(cluster, {V1: 90, V2: 10})
    cluster.wait(50)
    cluster.lose(cluster.revision(V2))
    cluster.reconcile()
    cluster.reconcile()

    for _ in range(50):
        cluster.ready()
        cluster.wait(1)
        cluster.reconcile()

    assert (cluster.stable, cluster.weights()) == (V1, {V1: 90, V2: 10})


def test_what_is_waited_for_is_said_in_words_that_are_true_at_every_step() -> None:
    """Found by reading a demo's status: `has 2 of the 1 pods`, and `the last step` of a first one."""
    cluster = canary_of(shadow_step(100, "5s"), step(20, "5s"), step(50, ""), step(100))

    for _ in range(30):
        cluster.reconcile()
        cluster.ready()
        cluster.wait(1)

    told = [decision.waits_for for decision in cluster.status.decisions]
    assert [text.replace(cluster.revision(V2), "v2") for text in told[-5:]] == [
        "v2 has 0 of the 1 pods it needs",
        "step 1 of 4 is being brought about",
        "v2 is about to be given 20 %",
        "the route is being written",
        "the route is being written",
    ]
    assert cluster.status.waiting is not None
    assert cluster.status.waiting.message == "step 3 of 4 is held until a person lets it go on"


def test_a_revision_without_pods_is_not_said_to_have_any() -> None:
    """Found by reading a demo's status: one that was scaled to zero kept its three ready replicas in `history`."""
    cluster = serving(scaling={"replicas": 3})
    cluster.model(V2)
    cluster.settle()
    cluster.reconcile()

    assert [each.revision.ready_replicas for each in cluster.status.history] == [0]
