"""The apiserver ends in the middle of a rollout and comes back: clients notice nothing, and the run goes on.

Runs when both lanes are done (`--lane=afterwards`): while it is away, no other test gets a word out of the cluster.
"""

from __future__ import annotations

import socket

import pytest
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience
from ferrydemo.modeldeployment import revision, share
from localcluster import paths, plane, process, source


def restart_the_apiserver() -> None:
    """Kill it, and bring it back as it was; its store goes on meanwhile."""
    plan = source.plan()
    process.end([each.pid for each in process.running(plan.directory) if each.name == "kube-apiserver"], grace=0)
    patience.until("the last of its threads to end", lambda: _free(plan.address, plan.port), ACT_SECONDS)
    process.ensure(plane.apiserver(plan), plan.directory, paths.logs() / "kube-apiserver.log")


def _free(address: str, port: int) -> bool:
    """Tell whether nobody holds an address any more."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("share_asked", [100, 0])
def test_a_promotion_and_a_rollback_outlive_the_apiserver(served: Served, share_asked: int):
    better = served.other()
    served.patch(better, canary={"trafficPercent": 50})
    status = served.until_weight(50)
    old, new = revision(status, "stable"), revision(status, "candidate")
    ends_in = new if share_asked else old
    pods = served.uids(ends_in)

    served.patch(canary={"trafficPercent": share_asked})
    patience.until("it to begin", lambda: share(served.deployment.status(), "candidate") != 50, ACT_SECONDS)
    restart_the_apiserver()

    served.deployment.wait(
        "one revision to have all traffic",
        lambda said: revision(said, "stable") == ends_in and share(said, "stable") == 100,
        START_SECONDS,
    )
    served.moved(f"apiserver restarted on the way to {share_asked}: last answer of another", served.since, ends_in)
    assert served.uids(ends_in) == pods


def test_while_the_apiserver_is_away_the_route_stays_as_it_is(served: Served):
    served.patch(served.other(), canary={"trafficPercent": 30})
    status = served.until_weight(30)

    restart_the_apiserver()

    served.measured(status, 30)
    served.patch(canary={"trafficPercent": 60})
    served.until_weight(60, START_SECONDS)
