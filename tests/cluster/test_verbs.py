"""What a person tells with an annotation: obeyed at once where it names what it means, else refused and shown."""

from __future__ import annotations

from cluster import lanes
from cluster.served import ACT_SECONDS, Served

from ferrydemo import patience
from ferrydemo.modeldeployment import command, condition, revision, share

MOST_SECONDS = 2.0
"""How long traffic may take to leave."""


def test_an_abort_at_50_takes_all_traffic_away_at_once_and_a_retry_brings_the_candidate_back(served: Served):
    """An aborted revision stays away whatever the number says, until it is told otherwise."""
    better = served.other()
    served.patch(better, canary={"trafficPercent": 50})
    status = served.until_weight(50)
    candidate, stable = revision(status, "candidate"), revision(status, "stable")
    served.measured(status, 50, seconds=3)

    with lanes.undisturbed():
        told = served.tell(abort=candidate)

        assert served.moved("abort at 50 %: last answer of the candidate", told, stable) < MOST_SECONDS
    patience.until("its pods to go", lambda: not served.deployment.pods(candidate), ACT_SECONDS)
    served.patch(canary={"trafficPercent": 60})
    status = served.deployment.wait("Stable", lambda said: said.get("phase") == "Stable", ACT_SECONDS)
    assert status["rejected"]["revision"] == candidate
    assert status["rejected"]["reason"] == "Aborted"
    assert condition(status, "Ready")["status"] == "False"
    assert not served.deployment.pods(candidate)

    served.tell(retry=candidate)

    back = served.until_weight(60)
    assert revision(back, "candidate") == candidate
    assert not back.get("rejected")


def test_a_pause_holds_the_share_against_a_higher_number_and_a_resume_lets_it_rise(served: Served):
    """Mirrors TestKubectlWaitForPaused."""
    served.patch(served.other(), canary={"trafficPercent": 20})
    candidate = revision(served.until_weight(20), "candidate")

    served.tell(pause=candidate)
    served.deployment.wait("the pause", lambda said: said["run"].get("pausedAt") == 20, ACT_SECONDS)
    served.patch(canary={"trafficPercent": 60})
    paused = served.deployment.wait(
        "Paused", lambda said: condition(said, "Ready")["reason"] == "Paused", ACT_SECONDS
    )
    served.measured(paused, 20, seconds=4)
    assert share(served.deployment.status(), "candidate") == 20

    served.tell(resume=candidate)

    served.measured(served.until_weight(60, ACT_SECONDS), 60, seconds=3)


def test_a_promote_of_a_revision_that_changed_under_the_click_is_refused_and_shown(served: Served):
    """Case 101: the name that is the candidate's promotes; told once more, it is refused, too."""
    second, third = served.other(), served.other(served.other())
    served.patch(second, canary={"trafficPercent": 20})
    stale = revision(served.until_weight(20), "candidate")
    served.patch(third)
    candidate = revision(
        served.deployment.wait("the third", lambda said: revision(said, "candidate") not in {"", stale}, ACT_SECONDS),
        "candidate",
    )

    served.tell(promote=stale)

    status = served.deployment.wait("an answer", lambda said: command(said, "promote"), ACT_SECONDS)
    told = command(status, "promote")
    assert told["outcome"] == "Refused"
    assert stale in told["message"]
    assert candidate in told["message"]
    assert revision(served.until_weight(20), "candidate") == candidate
    patience.until("a Warning event", lambda: warned(served, stale), ACT_SECONDS)

    served.tell(promote=candidate)
    promoted = served.until_stable(third)
    served.tell(promote=f"{candidate} again")
    twice = served.deployment.wait(
        "an answer", lambda said: command(said, "promote").get("value", "").endswith("again"), ACT_SECONDS
    )

    assert revision(promoted, "stable") == candidate
    assert command(twice, "promote")["outcome"] == "Refused"


def warned(served: Served, named: str) -> bool:
    """Tell whether a Warning event names something."""
    events = served.deployment.kube.items(f"/api/v1/namespaces/{served.deployment.namespace}/events")
    notes = [(event["type"], event.get("message", "")) for event in events]
    return any(kind == "Warning" and named in message for kind, message in notes)
