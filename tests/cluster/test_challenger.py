"""A challenger under traffic: it hears what clients ask, through releases, and no client ever hears it."""

from __future__ import annotations

from cluster.served import ACT_SECONDS, START_SECONDS, Served
from cluster.test_shadow import ANSWERS, counted

from ferrydemo import measure, patience, stage
from ferrydemo.modeldeployment import Status, condition, revision, share

CHALLENGER = {"uri": "models:/pool@challenger", "percent": 100}


def test_a_challenger_hears_everything_through_a_canary_and_answers_nobody(served: Served):
    stable = revision(served.deployment.status(), "stable")
    better = served.other()
    challenger = revision(challenged(served, better), "challenger")

    before = counted(served, challenger, ANSWERS)
    served.measured(served.deployment.status(), 0)
    patience.until("copies", lambda: counted(served, challenger, ANSWERS) > before + 50, ACT_SECONDS)
    served.patch(served.other(better), shadow=CHALLENGER, canary={"trafficPercent": 50})
    half = served.until_weight(50)
    window = served.measured(half, 50)
    heard = counted(served, challenger, ANSWERS)
    patience.until("copies in a canary", lambda: counted(served, challenger, ANSWERS) > heard + 50, ACT_SECONDS)

    assert set(window.by_revision) == {stable, revision(half, "candidate")}
    assert share(served.deployment.status(), "challenger") == 100
    assert challenger not in served.prober.window(served.since).by_revision


def test_a_challenger_that_wins_is_released_with_its_pods_and_without_a_failed_request(served: Served):
    stable = revision(served.deployment.status(), "stable")
    better = served.other()
    challenger = revision(challenged(served, better), "challenger")
    pods = served.uids(challenger)

    served.patch(better, shadow=CHALLENGER, canary={"trafficPercent": 50})

    half = served.until_weight(50, ACT_SECONDS)
    assert (revision(half, "candidate"), served.uids(challenger)) == (challenger, pods)
    assert condition(half, "ChallengerMirrored")["reason"] == "ChallengerServes"
    window = served.measured(half, 50)
    assert set(window.by_revision) == {stable, challenger}


def test_a_challenger_whose_pods_are_killed_is_not_missed(served: Served):
    stable = revision(served.deployment.status(), "stable")
    challenger = revision(challenged(served, served.other()), "challenger")
    since = served.prober.mark()

    served.delete_pods("-l", f"ferryman.dev/revision={challenger}", "--force", "--grace-period=0")

    served.deployment.wait("no copies", lambda said: not share(said, "challenger"), ACT_SECONDS)
    served.deployment.wait("copies again", lambda said: share(said, "challenger") == 100, START_SECONDS)
    assert set(measure.window(served.prober, 2).by_revision) == {stable}
    assert set(served.prober.window(since).by_revision) == {stable}


def challenged(served: Served, uri: str) -> Status:
    """Let the registry's alias stand for a version, follow it, and wait until it gets copies."""
    stage.alias(served.deployment.kube, "challenger", uri)
    served.patch(shadow=CHALLENGER)
    return served.deployment.wait(
        "the challenger to get copies",
        lambda said: share(said, "challenger") == 100 and said["challenger"]["model"]["uri"] == uri,
        START_SECONDS,
    )
