"""How many pods, while a rollout is under way: nothing that a candidate does takes capacity from stable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import served as serving
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import revision, share
from ferrydemo.prober import Prober
from ferrydemo.stage import Registered

FIXED = 3
LOAD = 50.0
"""Requests a second beside the prober's own: together more than a pod may use its processor for, by its request."""


@pytest.fixture(scope="module")
def served_module(installed: Kube, models: Registered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two pods that serve."""
    record = tmp_path_factory.mktemp("served") / "requests.tsv"
    scaling = {"minReplicas": 2, "maxReplicas": 2}
    with serving.serve(installed, models, record, scaling=scaling) as served:
        yield served


def test_an_autoscaler_of_the_candidates_own_acts_under_load_and_stable_keeps_its_pods(
    served: Served, tmp_path: Path
):
    """Mirrors TestRolloutScalingDuringUpdate; case 100."""
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.other(), canary={"trafficPercent": 50})
    candidate = revision(served.until_weight(50), "candidate")
    assert len(served.deployment.pods(candidate)) == 1
    fewest = len(served.deployment.pods(stable))
    served.deployment.patch({"scaling": {"minReplicas": 2, "maxReplicas": 2, "targetCPUUtilization": 40}})

    def scaled() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(served.uids(stable)))
        return len(served.uids(candidate)) > 1

    name = serving.host(served.deployment.namespace)
    with Prober(serving.GATEWAY_URL, name, served.models.rows, tmp_path / "load.tsv", rate=LOAD) as load:
        patience.until("the candidate's autoscaler to act", scaled, START_SECONDS)
        assert autoscaler(served, candidate)["status"]["desiredReplicas"] > 1
        assert not load.window().failures

    assert fewest == 2
    assert share(served.deployment.status(), "candidate") == 50


def test_a_stable_pod_that_is_lost_mid_canary_raises_nobodys_share(served: Served):
    """Case 91, Argo Rollouts #2050: stable's shrinking does not hand its requests to the candidate."""
    status = served.deployment.status()
    stable = revision(status, "stable")
    served.patch(served.other(), canary={"trafficPercent": 20})
    status = served.until_weight(20)
    lost, *_ = served.deployment.pods(stable)

    served.delete_pods(lost.name, "--force", "--grace-period=0")

    served.measured(status, 20, seconds=5)
    assert share(served.deployment.status(), "candidate") == 20
    patience.until("another in its place", lambda: len(served.uids(stable)) >= 2, START_SECONDS)


def test_a_model_and_a_number_of_pods_in_one_patch_are_both_applied(served: Served):
    """Mirrors TestSpecAndReplicaChangeSameTime; case 100."""
    stable, better = revision(served.deployment.status(), "stable"), served.other()
    served.since = served.prober.mark()

    served.deployment.patch(
        {
            "model": {"uri": better},
            "scaling": {"minReplicas": None, "maxReplicas": None, "replicas": FIXED},
            "rollout": {"canary": {"trafficPercent": 100}},
        }
    )

    promoted = served.until_stable(better, START_SECONDS)
    assert revision(promoted, "stable") != stable
    patience.until("three pods", lambda: len(served.uids(revision(promoted, "stable"))) == FIXED, START_SECONDS)
    assert not autoscaler(served, revision(promoted, "stable"))


def test_a_candidate_that_somebody_scales_to_zero_loses_its_weight_and_makes_way_for_a_third(served: Served):
    """Mirrors TestIstioUpdateInMiddleZeroCanaryReplicas; case 99."""
    second, third = served.other(), served.other(served.other())
    served.patch(second, canary={"trafficPercent": 50})
    middle = revision(served.until_weight(50), "candidate")

    namespace = served.deployment.namespace
    served.deployment.kube.kubectl("-n", namespace, "scale", "deployment", middle, "--replicas=0")

    served.deployment.wait("weight 0", lambda said: share(said, "candidate") == 0, ACT_SECONDS)
    served.patch(third, canary={"trafficPercent": 30})
    status = served.until_weight(30)
    assert status["candidate"]["model"]["uri"] == third
    served.measured(status, 30, seconds=4)


def autoscaler(served: Served, name: str) -> dict[str, Any]:
    """Return a revision's autoscaler; empty where it has none."""
    path = f"/apis/autoscaling/v2/namespaces/{served.deployment.namespace}/horizontalpodautoscalers/{name}"
    return served.deployment.kube.get(path) or {}
