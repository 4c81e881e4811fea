"""Going back to a revision that was stable: without steps, without the registry, without losing the way."""

from __future__ import annotations

from pure.simulation import Cluster, serving

from ferryman.api.conditions import Reason
from ferryman.outcome import Unresolved

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def promoted(**rollout: object) -> Cluster:
    """Return a cluster in which v2 took over from v1."""
    cluster = serving(rollout=rollout)
    cluster.model(V2)
    return cluster.settle()


def said(cluster: Cluster, verb: str) -> tuple[str, str]:
    command = next(command for command in cluster.status.commands if command.verb == verb)
    return command.outcome, command.message


def test_rollback_to_the_previous_revision_undoes_a_promotion() -> None:
    cluster = promoted(canary={"trafficPercent": 100})

    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert (cluster.stable, cluster.weights()) == (V1, {V1: 100})
    assert cluster.status.rejected is not None
    assert cluster.status.rejected.reason == "RolledBack"
    assert cluster.condition("Ready") == ("False", "RolledBack")
    assert [each.revision.model.uri for each in cluster.status.history] == [V2]


def test_rollback_twice_goes_there_and_back() -> None:
    cluster = promoted(canary={"trafficPercent": 100})
    cluster.annotate("rollback", "previous")
    cluster.settle()

    cluster.annotate("rollback", "previous again")
    cluster.settle()

    assert (cluster.stable, cluster.status.rejected) == (V2, None)
    assert cluster.condition("Ready") == ("True", "Ready")


def test_a_rollback_ignores_the_steps_that_a_release_goes_through() -> None:
    cluster = serving(rollout={"canary": {"steps": [{"trafficPercent": 100}]}})
    cluster.model(V2)
    cluster.settle()
    cluster.patch(rollout={"canary": {"steps": [{"trafficPercent": 1, "pause": {}}, {"trafficPercent": 100}]}})

    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert cluster.stable == V1


def test_a_rollback_works_while_the_registry_does_not_answer_and_stays() -> None:
    cluster = promoted()
    cluster.unresolved = Unresolved(Reason.REGISTRY_UNAVAILABLE, "no answer")

    cluster.annotate("rollback", "previous")
    cluster.settle()
    cluster.unresolved = None
    cluster.settle()

    assert (cluster.stable, cluster.candidate) == (V1, None)


def test_a_rollback_mid_canary_drops_the_candidate_and_it_stays_away() -> None:
    cluster = promoted(canary={"trafficPercent": 100})
    cluster.percent(30)
    cluster.model(V3)
    cluster.settle()
    assert cluster.weights() == {V2: 70, V3: 30}

    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert (cluster.stable, cluster.candidate, cluster.running()) == (V1, None, {V1})


def test_a_rollback_to_a_revision_that_cannot_start_leaves_traffic_where_it_is() -> None:
    """Case 102."""
    cluster = promoted(deadlineSeconds=60)
    cluster.wait(100)
    cluster.settle()
    cluster.broken.add(V1)

    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert (cluster.stable, cluster.weights()) == (V2, {V2: 100})
    assert cluster.status.last_rollout is not None
    assert (cluster.status.last_rollout.outcome, cluster.status.last_rollout.reason) == ("RolledBack", "LoadFailed")
    assert cluster.condition("Ready") == ("True", "Ready")


def test_a_model_that_is_named_after_a_rollback_starts_as_any_other() -> None:
    cluster = promoted(canary={"trafficPercent": 100})
    cluster.annotate("rollback", "previous")
    cluster.settle()

    cluster.model(V3)
    cluster.settle()

    assert (cluster.stable, cluster.status.rejected) == (V3, None)


def test_there_is_nothing_to_roll_back_to_before_a_promotion() -> None:
    cluster = serving()

    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert said(cluster, "rollback") == (
        "Refused",
        "there is no previous to go back to; no earlier revision is kept",
    )


def test_promote_and_rollback_at_once_end_in_the_rollback() -> None:
    """Case 101."""
    cluster = promoted(canary={"trafficPercent": 100})
    cluster.percent(30)
    cluster.model(V3)
    cluster.settle()

    cluster.annotate("promote", cluster.revision(V3))
    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert cluster.stable == V1
    assert said(cluster, "promote")[0] == "Refused"
