"""Plans of steps: walked by themselves or by a person, left for a newer revision, and beside them chosen requests."""

from __future__ import annotations

import time
from typing import Any

from cluster import served as serving
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience
from ferrydemo.modeldeployment import Status, revision, share

PLAN: list[dict[str, Any]] = [
    {"shadowPercent": 100, "pause": {"duration": "3s"}},
    {"trafficPercent": 10, "pause": {"duration": "4s"}},
    {"trafficPercent": 50, "pause": {}},
    {"trafficPercent": 100},
]


def test_a_plan_goes_by_itself_to_the_step_that_waits_for_a_person_and_ends_in_a_promotion(served: Served):
    """No pod restarts from the first copy to the promotion."""
    better = served.other()
    served.patch(better, canary={"steps": PLAN})

    status = served.deployment.wait("a copy", lambda said: share(said, "shadow") == 100, START_SECONDS)
    candidate = revision(status, "candidate")
    pods = served.uids(candidate)
    ten = served.until_weight(10)
    began = time.monotonic()
    measure.settled(served.prober, {revision(ten, "stable"): 90, candidate: 10}, served.prober.mark())
    half = until_person(served, 50)
    held = time.monotonic() - began
    served.measured(half, 50, seconds=4)
    served.tell(resume=candidate)
    promoted = served.until_stable(better)

    assert held >= 3.5, "a step of 4 s was left early"
    assert revision(promoted, "stable") == candidate
    assert served.uids(candidate) == pods
    assert promoted["lastRollout"]["outcome"] == "Promoted"


def test_a_third_revision_mid_plan_begins_at_the_first_step(served: Served):
    """Mirrors TestCanaryDuration_Superseded; case 93: the second leaves the route before the third has a request."""
    plan = [{"trafficPercent": 20, "pause": {"duration": "3s"}}, {"trafficPercent": 60, "pause": {}}]
    plan.append({"trafficPercent": 100})
    second, third = served.other(), served.other(served.other())
    served.patch(second, canary={"steps": plan})
    middle = revision(until_person(served, 60), "candidate")

    served.patch(third)

    status = served.until_weight(20)
    assert status["candidate"]["model"]["uri"] == third
    assert status["run"]["step"] == 0
    assert until_person(served, 60)["candidate"]["model"]["uri"] == third
    patience.until("the second's pods to go", lambda: not served.deployment.pods(middle), ACT_SECONDS)


def test_a_number_in_the_place_of_the_steps_acts_at_once(served: Served):
    plan = [{"trafficPercent": 50, "pause": {}}, {"trafficPercent": 100}]
    served.patch(served.other(), canary={"steps": plan})
    until_person(served, 50)

    served.patch(canary={"steps": None, "trafficPercent": 20})

    status = served.until_weight(20, ACT_SECONDS)
    assert not status["run"].get("steps")
    served.measured(status, 20, seconds=4)


def test_chosen_requests_reach_a_candidate_at_0_percent_and_nobody_elses_do(served: Served):
    """A match is not traffic that the candidate had: taking it away is no rollback."""
    match = [{"headers": [{"name": "x-beta", "exact": "yes"}]}, {"cookie": {"name": "beta", "value": "1"}}]
    served.patch(served.other(), canary={"trafficPercent": 0, "match": match})
    status = served.deployment.wait(
        "the match to be routed", lambda said: (said.get("traffic") or {}).get("matched"), START_SECONDS
    )
    candidate, stable = revision(status, "candidate"), revision(status, "stable")
    patience.until("the first chosen answer", lambda: chosen(served, **{"x-beta": "yes"}) == candidate, ACT_SECONDS)
    since = served.prober.mark()

    assert {chosen(served, **{"x-beta": "yes"}) for _ in range(20)} == {candidate}
    assert {chosen(served, cookie="a=b; beta=1; c=d") for _ in range(20)} == {candidate}
    assert {chosen(served, cookie="alphabeta=1") for _ in range(10)} == {stable}
    assert {chosen(served, **{"x-beta": "no"}) for _ in range(10)} == {stable}
    assert set(served.prober.window(since).by_revision) == {stable}

    served.patch(canary={"trafficPercent": 0, "match": None})

    patience.until("them back on stable", lambda: chosen(served, **{"x-beta": "yes"}) == stable, ACT_SECONDS)
    status = served.deployment.wait("no match", lambda said: not said["traffic"].get("matched"), ACT_SECONDS)
    assert revision(status, "candidate") == candidate
    assert status["phase"] == "Dark"


def until_person(served: Served, percent: int) -> Status:
    """Wait until a plan waits for a person, with a share."""
    return served.deployment.wait(
        f"a person to be waited for at {percent} %",
        lambda said: share(said, "candidate") == percent and (said.get("waiting") or {}).get("cause") == "Person",
        START_SECONDS,
    )


def chosen(served: Served, **headers: str) -> str:
    """Return which revision answers a request with headers of its own."""
    return serving.ask(served.deployment.namespace, served.models.rows, **headers)
