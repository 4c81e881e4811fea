"""Mirrored traffic: who gets a copy, and what it gives way to."""

from __future__ import annotations

from pure.simulation import serving

from ferryman.api.status import Phase

V1, V2 = "s3://models/v1", "s3://models/v2"


def canary(percent: int) -> dict[str, object]:
    return {"canary": {"trafficPercent": percent}}


def test_a_shadow_gets_a_copy_and_no_weight() -> None:
    cluster = serving(rollout={"shadow": {"percent": 30}})

    cluster.model(V2)
    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert cluster.status.phase is Phase.SHADOWING
    assert cluster.weights() == {V1: 100}
    assert dict(route.mirrors) == {cluster.revision(V2): 30}


def test_a_shadow_gives_way_to_weight_and_is_never_both() -> None:
    cluster = serving(rollout={"shadow": {"percent": 100}, **canary(0)})
    cluster.model(V2)
    cluster.settle()
    assert cluster.status.phase is Phase.SHADOWING

    cluster.percent(10)
    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, cluster.weights(), dict(route.mirrors)) == (Phase.CANARY, {V1: 90, V2: 10}, {})


def test_a_shadow_that_is_taken_to_zero_leaves_the_candidate_dark() -> None:
    cluster = serving(rollout={"shadow": {"percent": 100}})
    cluster.model(V2)
    cluster.settle()

    cluster.patch(rollout={"shadow": {"percent": 0}})
    cluster.settle()

    route = cluster.route()
    assert route is not None
    assert (cluster.status.phase, dict(route.mirrors)) == (Phase.DARK, {})
