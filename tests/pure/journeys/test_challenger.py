"""A challenger: mirrored to beside everything that is rolled out, and never served."""

from __future__ import annotations

from typing import Any

import pytest
from pure.simulation import Cluster, serving

from ferryman.api.conditions import Reason
from ferryman.api.status import Phase
from ferryman.outcome import Unresolved

V1, V2 = "s3://models/v1", "s3://models/v2"
C5, C6 = "models:/fraud/5", "models:/fraud/6"
SILENT = Unresolved(Reason.REGISTRY_UNAVAILABLE, "no answer")


def challenged(uri: str = C5, percent: int = 100, **rollout: Any) -> dict[str, Any]:
    return {"shadow": {"uri": uri, "percent": percent}, **rollout}


def copies(cluster: Cluster) -> dict[str | None, int]:
    """Return the mirrored shares by model URI."""
    route = cluster.route()
    assert route is not None
    return {cluster.model_of(revision): share for revision, share in route.mirrors.items()}


def test_a_challenger_gets_a_copy_beside_what_serves_and_nothing_is_rolled_out() -> None:
    cluster = serving(rollout=challenged(percent=30))

    assert (cluster.status.phase, cluster.weights(), copies(cluster)) == (Phase.STABLE, {V1: 100}, {C5: 30})
    assert cluster.status.candidate is None
    assert cluster.condition("ChallengerMirrored") == ("True", "ChallengerCopied")
    assert cluster.condition("Ready") == ("True", "Ready")
    assert cluster.status.traffic is not None
    assert (cluster.status.traffic.challenger, cluster.status.traffic.shadow_display) == (30, "30%")
    assert [notice.reason for notice in cluster.notices].count("ChallengerStarted") == 1


def test_a_challenger_stays_mirrored_through_a_whole_release() -> None:
    cluster = serving(rollout=challenged(canary={"trafficPercent": 10}))

    cluster.model(V2)
    cluster.settle()

    assert (cluster.weights(), copies(cluster)) == ({V1: 90, V2: 10}, {C5: 100})
    cluster.percent(100)
    cluster.settle()
    assert (cluster.weights(), copies(cluster)) == ({V2: 100}, {C5: 100})


def test_a_step_that_mirrors_to_the_candidate_mirrors_to_both() -> None:
    steps = [{"shadowPercent": 50, "pause": {}}, {"trafficPercent": 100}]
    cluster = serving(rollout=challenged(percent=20, canary={"steps": steps}))

    cluster.model(V2)
    cluster.settle()

    assert cluster.status.phase is Phase.SHADOWING
    assert copies(cluster) == {V2: 50, C5: 20}
    assert cluster.status.traffic is not None
    assert cluster.status.traffic.shadow_display == "50%+20%"


def test_a_candidate_beside_a_challenger_is_not_mirrored_to_unasked() -> None:
    cluster = serving(rollout=challenged())

    cluster.model(V2)
    cluster.settle()

    assert (cluster.stable, cluster.weights()) == (V2, {V2: 100})


def test_another_challenger_takes_the_place_of_the_one_before() -> None:
    cluster = serving(rollout=challenged(C5))

    cluster.patch(rollout=challenged(C6))
    cluster.settle()

    assert copies(cluster) == {C6: 100}
    assert cluster.running() == {V1, C6}


def test_a_challenger_that_nobody_asks_for_any_more_leaves() -> None:
    cluster = serving(rollout=challenged())

    cluster.patch(rollout={})
    cluster.settle()

    assert (copies(cluster), cluster.running(), cluster.status.challenger) == ({}, {V1}, None)
    assert not [claim for claim in cluster.status.conditions if claim.type == "ChallengerMirrored"]
    assert cluster.notices[-1].reason == "ChallengerEnded"


def test_a_challenger_that_wins_is_released_with_the_pods_that_it_has() -> None:
    cluster = serving(rollout=challenged(canary={"trafficPercent": 10}))
    name = cluster.revision(C5)
    made = cluster.uids["Deployment", name]

    cluster.model(C5)
    cluster.settle()

    assert (cluster.weights(), copies(cluster)) == ({V1: 90, C5: 10}, {})
    assert (cluster.revision(C5), cluster.uids["Deployment", name]) == (name, made)
    assert cluster.status.challenger is None
    assert cluster.condition("ChallengerMirrored") == ("False", "ChallengerServes")
    cluster.percent(100)
    cluster.settle()
    assert (cluster.stable, cluster.uids["Deployment", name]) == (C5, made)


def test_a_challenger_that_was_released_and_rolled_back_is_the_challenger_again() -> None:
    cluster = serving(rollout=challenged(canary={"trafficPercent": 10}))
    cluster.model(C5)
    cluster.settle()
    assert cluster.status.candidate is not None

    cluster.annotate("abort", cluster.status.candidate.revision)
    cluster.settle()

    assert (cluster.weights(), copies(cluster)) == ({V1: 100}, {C5: 100})
    assert cluster.status.rejected is not None
    assert cluster.condition("CandidateHealthy") == ("False", "Aborted")


def test_a_revision_that_was_stable_before_may_be_the_challenger() -> None:
    cluster = serving(model={"uri": C5})
    cluster.model(V2)
    cluster.settle()
    assert [each.revision.model.uri for each in cluster.status.history] == [C5]

    cluster.patch(rollout=challenged())
    cluster.settle()

    assert copies(cluster) == {C5: 100}
    assert [each.revision.model.uri for each in cluster.status.history] == [C5]
    cluster.annotate("rollback", "previous")
    cluster.settle()
    assert (cluster.stable, copies(cluster)) == (C5, {})


def test_a_broken_challenger_harms_nobody_and_is_told() -> None:
    cluster = serving()
    cluster.broken.add(C5)

    cluster.patch(rollout=challenged(canary={"trafficPercent": 50}))
    cluster.model(V2)
    cluster.settle()

    assert (cluster.weights(), copies(cluster)) == ({V1: 50, V2: 50}, {})
    assert cluster.condition("ChallengerMirrored")[0] != "True"
    assert cluster.condition("Ready") == ("True", "Ready")


def test_a_challenger_that_loses_its_pods_loses_its_copies_and_gets_them_back() -> None:
    cluster = serving(rollout=challenged())
    name = cluster.revision(C5)

    cluster.available[name] = 0
    cluster.reconcile()

    assert (cluster.weights(), copies(cluster)) == ({V1: 100}, {})
    cluster.settle()
    assert copies(cluster) == {C5: 100}


def test_a_silent_registry_takes_no_challenger_away() -> None:
    cluster = serving(rollout=challenged())

    cluster.unresolved = SILENT
    cluster.settle()

    assert copies(cluster) == {C5: 100}
    assert cluster.condition("ChallengerMirrored") == ("True", "ChallengerCopied"), "the route says so"
    [claim] = [each for each in cluster.status.conditions if each.type == "ChallengerMirrored"]
    assert claim.message.endswith("it stays the challenger: no answer")


def test_a_challenger_that_nobody_can_name_is_not_mirrored_to() -> None:
    cluster = serving()
    cluster.unresolved = SILENT
    cluster.patch(rollout=challenged())
    cluster.settle()

    assert copies(cluster) == {}
    assert cluster.condition("ChallengerMirrored") == ("False", "RegistryUnavailable")


def test_without_istio_there_is_no_challenger_and_no_pod_for_one() -> None:
    cluster = Cluster(mesh=False)
    cluster.patch(rollout=challenged())
    cluster.settle()

    assert cluster.running() == {V1}
    assert cluster.condition("ChallengerMirrored") == ("False", "IstioMissing")


def test_the_memory_of_a_wiped_status_holds_the_challenger() -> None:
    cluster = serving(rollout=challenged())
    pods = dict(cluster.available)

    cluster.wipe()
    cluster.settle()

    assert (copies(cluster), cluster.available) == ({C5: 100}, pods)


@pytest.mark.parametrize(("percent", "pods"), [(0, 1), (50, 2), (100, 4)])
def test_a_challenger_has_the_pods_for_its_copies(percent: int, pods: int) -> None:
    cluster = serving(rollout=challenged(percent=percent), scaling={"replicas": 4})

    assert cluster.desired[cluster.revision(C5)] == pods
    assert copies(cluster) == ({C5: percent} if percent else {})
