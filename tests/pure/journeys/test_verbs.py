"""What people tell the operator: carried out once, refused and shown when it means another revision."""

from __future__ import annotations

import pytest
from pure.simulation import Cluster, serving

from ferryman.api.status import Phase

V1, V2, V3 = "s3://models/v1", "s3://models/v2", "s3://models/v3"


def canary(percent: int = 50, **rollout: object) -> Cluster:
    """Return a cluster in which v1 serves and v2 has a share."""
    cluster = serving(rollout={"canary": {"trafficPercent": percent}, **rollout})
    cluster.model(V2)
    return cluster.settle()


def said(cluster: Cluster, verb: str) -> tuple[str, str]:
    command = next(command for command in cluster.status.commands if command.verb == verb)
    return command.outcome, command.message


def test_promote_gives_the_candidate_everything_whatever_the_number_says() -> None:
    cluster = canary(10)

    cluster.annotate("promote", cluster.revision(V2))
    cluster.settle()

    assert (cluster.stable, cluster.weights()) == (V2, {V2: 100})
    assert said(cluster, "promote")[0] == "Done"


def test_a_number_that_moves_takes_a_promotion_back_that_still_waits_for_pods() -> None:
    cluster = canary(10, deadlineSeconds=60)
    cluster.patch(scaling={"minReplicas": 4})
    cluster.annotate("promote", cluster.revision(V2))
    cluster.reconcile()
    assert cluster.weights() == {V1: 90, V2: 10}

    cluster.percent(20)
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (V2, {V1: 80, V2: 20})


def test_abort_takes_traffic_away_in_one_look_and_the_revision_does_not_come_back() -> None:
    cluster = canary()
    aborted = cluster.revision(V2)

    cluster.annotate("abort", aborted)
    cluster.reconcile()
    assert cluster.weights() == {V1: 100}
    cluster.settle()
    cluster.percent(60)
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (None, {V1: 100})
    assert cluster.condition("CandidateHealthy") == ("False", "Aborted")
    assert cluster.running() == {V1}


def test_retry_brings_an_aborted_revision_back_under_the_policy() -> None:
    cluster = canary(30)
    aborted = cluster.revision(V2)
    cluster.annotate("abort", aborted)
    cluster.settle()

    cluster.annotate("retry", aborted)
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (V2, {V1: 70, V2: 30})


def test_retry_brings_a_revision_back_that_missed_its_deadline() -> None:
    """TestRolloutBadToGoodUpdate."""
    cluster = serving(rollout={"canary": {"trafficPercent": 10}, "deadlineSeconds": 60})
    cluster.broken.add(V2)
    cluster.model(V2)
    cluster.settle()
    assert cluster.status.rejected is not None
    rejected = cluster.status.rejected.revision
    cluster.broken.clear()

    cluster.annotate("retry", rejected)
    cluster.settle()

    assert cluster.weights() == {V1: 90, V2: 10}


@pytest.mark.parametrize("verb", ["promote", "abort", "pause", "resume"])
def test_a_verb_that_means_another_revision_is_refused_and_shown(verb: str) -> None:
    cluster = canary()
    before = cluster.weights()

    cluster.annotate(verb, "fraud-00000000")
    cluster.settle()

    assert said(cluster, verb)[0] == "Refused"
    assert "fraud-00000000 is not the candidate" in said(cluster, verb)[1]
    assert cluster.weights() == before
    assert [notice.reason for notice in cluster.notices].count("Refused") == 1


def test_a_promotion_said_on_a_stale_screen_does_not_promote_the_revision_that_came_after() -> None:
    """Case 101."""
    cluster = canary(10)
    stale = cluster.revision(V2)
    cluster.model(V3)
    cluster.reconcile()

    cluster.annotate("promote", stale)
    cluster.settle()

    assert (cluster.stable, cluster.candidate) == (V1, V3)
    assert said(cluster, "promote")[0] == "Refused"


def test_a_word_that_is_no_verb_is_refused_with_the_verbs_there_are() -> None:
    cluster = serving()

    cluster.annotate("rolback", "previous")
    cluster.settle()

    assert "there is no verb rolback" in said(cluster, "rolback")[1]


def test_a_verb_is_carried_out_once_and_again_when_it_is_said_anew() -> None:
    cluster = canary(30)
    name = cluster.revision(V2)
    cluster.annotate("abort", name)
    cluster.settle()
    cluster.annotate("retry", name)
    cluster.settle()
    assert cluster.candidate == V2

    cluster.annotate("abort", f"{name} again")
    cluster.settle()
    assert cluster.candidate is None
    cluster.annotate("retry", None)
    cluster.settle()
    cluster.annotate("retry", name)
    cluster.settle()

    assert cluster.candidate == V2


def test_a_wiped_status_carries_no_old_verb_out_again() -> None:
    cluster = canary(30)
    name = cluster.revision(V2)
    cluster.annotate("abort", name)
    cluster.settle()
    cluster.annotate("retry", name)
    cluster.settle()

    cluster.status = type(cluster.status)()
    cluster.settle()

    assert (cluster.candidate, cluster.weights()) == (V2, {V1: 70, V2: 30})


def test_what_was_rejected_stays_rejected_when_the_status_is_wiped() -> None:
    cluster = canary(30)
    cluster.annotate("abort", cluster.revision(V2))
    cluster.settle()

    cluster.status = type(cluster.status)()
    cluster.settle()

    assert cluster.candidate is None
    assert cluster.status.rejected is not None


def test_pause_holds_the_share_and_lets_it_fall() -> None:
    cluster = canary(30)
    cluster.annotate("pause", cluster.revision(V2))
    cluster.settle()

    cluster.percent(80)
    cluster.settle()
    assert cluster.weights() == {V1: 70, V2: 30}
    assert cluster.condition("Ready") == ("False", "Paused")
    cluster.percent(20)
    cluster.settle()
    assert cluster.weights() == {V1: 80, V2: 20}
    cluster.annotate("resume", cluster.revision(V2))
    cluster.percent(80)
    cluster.settle()

    assert cluster.weights() == {V1: 20, V2: 80}


def test_the_deadline_of_a_paused_candidate_stands_still() -> None:
    cluster = serving(rollout={"canary": {"trafficPercent": 10}, "deadlineSeconds": 60})
    cluster.broken.add(V2)
    cluster.model(V2)
    cluster.reconcile()
    cluster.reconcile()
    name = cluster.revision(V2)
    cluster.wait(30)
    cluster.annotate("pause", name)
    cluster.reconcile()

    cluster.wait(1000)
    cluster.reconcile()
    assert cluster.status.candidate is not None
    cluster.annotate("resume", name)
    cluster.reconcile()
    cluster.reconcile()
    cluster.wait(29)
    cluster.reconcile()
    assert cluster.status.candidate is not None
    cluster.wait(2)
    cluster.reconcile()

    assert cluster.status.candidate is None


def test_the_first_revision_can_be_neither_hurried_nor_taken_back() -> None:
    cluster = Cluster()
    cluster.reconcile()

    cluster.annotate("abort", cluster.status.candidate.revision if cluster.status.candidate else "")
    cluster.settle()

    assert (cluster.status.phase, cluster.stable) == (Phase.STABLE, V1)
    assert said(cluster, "abort")[0] == "Refused"


def test_ready_is_not_said_of_a_share_that_is_about_to_be_given() -> None:
    """Found by the explorer: the look that heard `resume` said Ready while 10 % was wanted and 0 was had."""
    cluster = serving(rollout={"canary": {"trafficPercent": 10}})
    cluster.model(V2)
    cluster.reconcile()
    cluster.annotate("pause", cluster.revision(V2))
    cluster.settle()
    assert cluster.status.phase is Phase.DARK

    cluster.annotate("resume", cluster.revision(V2))
    cluster.reconcile()

    assert cluster.condition("Ready") == ("False", "UnderWay")
    cluster.settle()
    assert cluster.weights() == {V1: 90, V2: 10}
