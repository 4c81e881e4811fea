"""A candidate that comes and goes, and one that never comes: when it is given up, and with which cause."""

from __future__ import annotations

import pytest
from pure.simulation import serving

from ferryman.api.conditions import Reason
from ferryman.observed import Obstacle

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def test_a_candidate_that_is_lost_gets_its_weight_back_only_after_it_was_steady() -> None:
    """Case 89."""
    cluster = serving(rollout={"canary": {"trafficPercent": 50}})
    cluster.model(V2)
    cluster.settle()
    candidate = cluster.revision(V2)

    cluster.lose(candidate)
    cluster.reconcile()
    cluster.ready()
    for _ in range(9):
        cluster.reconcile()
        cluster.wait(1)
        assert cluster.weights() == {V1: 100}
    cluster.wait(2)
    cluster.reconcile()
    cluster.reconcile()

    assert cluster.weights() == {V1: 50, V2: 50}


def test_a_candidate_that_is_lost_a_third_time_is_given_up() -> None:
    """Case 88."""
    cluster = serving(rollout={"canary": {"trafficPercent": 50}})
    cluster.model(V2)

    for _ in range(3):
        cluster.settle()
        assert cluster.weights() == {V1: 50, V2: 50}
        cluster.lose(cluster.revision(V2))
        cluster.reconcile()
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (None, {V1: 100})
    assert cluster.condition("CandidateHealthy") == ("False", "Unstable")


def test_losses_that_lie_far_apart_are_no_pattern() -> None:
    cluster = serving(rollout={"canary": {"trafficPercent": 50}})
    cluster.model(V2)

    for _ in range(5):
        cluster.settle()
        cluster.wait(601)
        cluster.lose(cluster.revision(V2))
        cluster.reconcile()
    cluster.settle()

    assert cluster.weights() == {V1: 50, V2: 50}


@pytest.mark.parametrize("reason", [Reason.QUOTA_EXCEEDED, Reason.UNSCHEDULABLE, Reason.OUT_OF_MEMORY])
def test_the_cause_that_was_seen_is_the_cause_that_is_told(reason: Reason) -> None:
    """Contract line 12."""
    cluster = serving(rollout={"canary": {"trafficPercent": 10}, "deadlineSeconds": 60})
    cluster.model(V2)
    cluster.broken.add(V2)
    cluster.obstacles[V2] = Obstacle(reason, "what the cluster says")

    cluster.settle()

    assert cluster.condition("CandidateHealthy") == ("False", reason.value)
    assert cluster.status.last_rollout is not None
    assert (cluster.status.last_rollout.reason, cluster.status.last_rollout.message) == (
        reason.value,
        "what the cluster says",
    )
