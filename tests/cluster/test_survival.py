"""The operator ends at the worst moments of a rollout: no request fails, and the run ends where it would have anyway.

Chaosduck's idea at the moments that matter: with a client at 50 requests a second, its pod is taken away as a lost
node would take it, or its process is killed, and whatever was being done is done by the next one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster import lanes, operator_pod
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import revision, share

WAYS = pytest.mark.parametrize("ends", [operator_pod.deleted, operator_pod.killed], ids=lambda way: way.__name__)
Ending = Callable[[Kube], None]


def lose_the_operator(served: Served, ends: Ending, act: Callable[[], object]) -> None:
    """Do something, and take the operator away in that moment; wait until another is there."""
    kube = served.deployment.kube
    before = operator_pod.lives(kube)
    with lanes.alone():
        act()
        ends(kube)
        operator_pod.back(kube, before)


@WAYS
def test_lost_as_a_canary_begins_it_goes_on_to_its_share(served: Served, ends: Ending):
    lose_the_operator(served, ends, lambda: served.patch(served.other(), canary={"trafficPercent": 20}))

    status = served.until_weight(20)

    served.measured(status, 20)


@WAYS
def test_lost_at_half_of_the_traffic_nothing_moves_until_the_number_does(served: Served, ends: Ending):
    served.patch(served.other(), canary={"trafficPercent": 50})
    status = served.until_weight(50)
    pods = served.uids(revision(status, "stable")) | served.uids(revision(status, "candidate"))

    lose_the_operator(served, ends, lambda: None)

    served.measured(served.deployment.status(), 50)
    assert served.uids(revision(status, "stable")) | served.uids(revision(status, "candidate")) == pods
    served.patch(canary={"trafficPercent": 80})
    served.until_weight(80, ACT_SECONDS)


@WAYS
def test_lost_in_the_middle_of_a_promotion_it_is_ended_by_the_next(served: Served, ends: Ending):
    better = served.other()
    served.patch(better, canary={"trafficPercent": 50})
    status = served.until_weight(50)
    old, new = revision(status, "stable"), revision(status, "candidate")
    pods = served.uids(new)

    def promote_and_see_it_begin() -> None:
        served.patch(canary={"trafficPercent": 100})
        patience.until("the promotion to begin", lambda: begun(served, old), ACT_SECONDS)

    lose_the_operator(served, ends, promote_and_see_it_begin)

    status = served.until_stable(better, START_SECONDS)
    assert revision(status, "stable") == new
    assert served.uids(new) == pods, "a promotion restarts no pod, whoever carries it out"
    served.measured(status, 0)


@WAYS
def test_lost_in_the_middle_of_a_rollback_it_is_ended_by_the_next(served: Served, ends: Ending):
    served.patch(served.other(), canary={"trafficPercent": 50})
    status = served.until_weight(50)
    old, new = revision(status, "stable"), revision(status, "candidate")
    pods = served.uids(old)

    def abort_and_see_it_begin() -> None:
        served.tell(abort=new)
        patience.until(
            "the rollback to begin", lambda: share(served.deployment.status(), "candidate") < 50, ACT_SECONDS
        )

    lose_the_operator(served, ends, abort_and_see_it_begin)

    served.deployment.wait(
        "the rollback", lambda said: share(said, "stable") == 100 and not said.get("candidate"), START_SECONDS
    )
    patience.until("the candidate's pods to go", lambda: not served.deployment.pods(new), START_SECONDS)
    assert served.uids(old) == pods
    assert served.deployment.status()["rejected"]["revision"] == new


def begun(served: Served, old: str) -> bool:
    """Tell whether a promotion has begun: the phase says so, or it is done already."""
    status = served.deployment.status()
    return status.get("phase") == "Promoting" or (bool(status) and revision(status, "stable") != old)
