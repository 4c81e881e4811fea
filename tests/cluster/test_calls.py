"""gRPC calls take the way that REST requests take: the same shares, the same chosen ones, none of them lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import figures
from cluster import served as serving
from cluster.calls import Calls
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience
from ferrydemo.modeldeployment import revision, share

CALLS_MEASURED = 200


@pytest.fixture
def calls(served: Served) -> Iterator[Calls]:
    """A client that calls all the time; no call of the whole test may fail."""
    with Calls(serving.host(served.deployment.namespace), "fraud") as calls:
        patience.until("the first call to be answered", lambda: calls.after(0), ACT_SECONDS)
        yield calls
    window = calls.window(0)
    figures.asked("gRPC calls", window.requests, len(window.failures))
    assert window.requests > 0
    assert not [f"call {answer.number}: {answer.fault}" for answer in window.failures]


def test_calls_follow_the_share_and_none_is_lost_from_the_first_to_the_promotion(served: Served, calls: Calls):
    stable, better = revision(served.deployment.status(), "stable"), served.other()
    served.patch(better, canary={"trafficPercent": 30})
    status = served.until_weight(30)
    candidate = revision(status, "candidate")
    began = measure.settled(served.prober, {stable: 70, candidate: 30}, served.prober.mark())
    since = served.prober.mark()
    patience.until("enough calls", lambda: len(calls.after(since)) >= CALLS_MEASURED, ACT_SECONDS)

    split = calls.window(since)

    assert measure.fits(split, {stable: 70, candidate: 30}), f"after {began:.1f} s: {split.by_revision}"
    served.patch(canary={"trafficPercent": 100})
    served.until_stable(better)
    measure.settled(calls, {candidate: 100}, served.prober.mark())  # Envoy hears of it a moment later


def test_calls_that_carry_the_header_go_to_a_candidate_that_has_no_share(served: Served, calls: Calls):
    match = [{"headers": [{"name": "x-beta", "exact": "yes"}]}]
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.other(), canary={"trafficPercent": 0, "match": match})
    status = served.deployment.wait("a dark launch", lambda said: said.get("phase") == "Dark", START_SECONDS)
    candidate = revision(status, "candidate")

    patience.until("a chosen call", lambda: calls.ask(**{"x-beta": "yes"}).revision == candidate, ACT_SECONDS)

    since = served.prober.mark()
    patience.until("other calls", lambda: len(calls.after(since)) >= measure.TRAIL, ACT_SECONDS)
    assert set(calls.window(since).by_revision) == {stable}


def test_calls_fall_back_when_a_candidates_pods_are_killed(served: Served, calls: Calls):
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")

    served.delete_pods("-l", f"ferryman.dev/revision={candidate}", "--force", "--grace-period=0")

    served.deployment.wait("no share", lambda said: not share(said, "candidate"), ACT_SECONDS)
    served.until_weight(50)
