"""More changes than anybody can follow, and candidates that come and go: the last word wins, and traffic is calm."""

from __future__ import annotations

import random
import time
from typing import Any

from cluster import lanes
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience
from ferrydemo.modeldeployment import condition, revision, share

PATCHES = 40
SEED = 20


def test_of_a_patch_each_second_the_last_one_wins_and_the_route_is_written_no_oftener(served: Served):
    """Case 98: the number is lowered, raised and changed each second; the route is written at most once for each."""
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")
    pods, written = served.uids(candidate), generation(served)
    draw = random.Random(SEED)
    start = time.monotonic()

    for number in range(PATCHES):
        time.sleep(max(0.0, start + number - time.monotonic()))  # the rate of the storm: nothing is waited for
        served.patch(canary={"trafficPercent": draw.randint(1, 99)})
    served.patch(canary={"trafficPercent": 35})

    status = served.until_weight(35, ACT_SECONDS)
    served.measured(status, 35, seconds=4)
    assert revision(status, "candidate") == candidate
    assert served.uids(candidate) == pods
    assert generation(served) - written <= PATCHES + 1


def test_of_three_models_in_two_seconds_the_last_one_is_rolled_out(served: Served):
    """Case 93 as a storm: revisions that nobody waited for leave nothing behind."""
    second, third = served.other(), served.other(served.other())
    for uri in (second, third, second, third):
        served.patch(uri, canary={"trafficPercent": 40})

    status = served.until_weight(40)

    assert status["candidate"]["model"]["uri"] == third
    known = {revision(status, "stable"), revision(status, "candidate")}
    patience.until("the others to go", lambda: revisions(served) <= known, START_SECONDS)
    served.measured(served.deployment.status(), 40, seconds=3)


def test_a_candidate_that_is_lost_three_times_is_rolled_back_and_its_weight_does_not_flap(served: Served):
    """Cases 89 and 90, TestIstioAbortUpdateDeleteAllCanaryPods: calm after each loss, and an end after the third."""
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")
    stable, written = revision(served.deployment.status(), "stable"), generation(served)

    for loss in (1, 2, 3):
        with lanes.undisturbed():
            served.delete_pods("-l", f"ferryman.dev/revision={candidate}", "--force", "--grace-period=0")
            lost = served.deployment.wait("weight 0", lambda said: share(said, "candidate") == 0, ACT_SECONDS)
        if loss < 3:
            assert lost["run"]["losses"] == loss
            served.until_weight(50)

    status = served.deployment.wait("a rejection", lambda said: said.get("rejected"), ACT_SECONDS)
    assert status["rejected"]["reason"] == "Unstable"
    assert condition(status, "CandidateHealthy")["reason"] == "Unstable"
    assert revision(status, "stable") == stable
    assert generation(served) - written == 5, "away three times, back twice"


def route(served: Served) -> dict[str, Any]:
    """Return the VirtualService."""
    namespace, name = served.deployment.namespace, served.deployment.name
    path = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}"
    return served.deployment.kube.get(path) or {}


def generation(served: Served) -> int:
    """Return how often the route's spec was changed."""
    return int(route(served)["metadata"]["generation"])


def revisions(served: Served) -> set[str]:
    """Return the revisions that there are Deployments of."""
    path = f"/apis/apps/v1/namespaces/{served.deployment.namespace}/deployments"
    return {str(body["metadata"]["name"]) for body in served.deployment.kube.items(path)}
