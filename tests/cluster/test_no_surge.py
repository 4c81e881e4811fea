"""No room for two: a node that advertises one GPU, or two, and a rollout that has to make do with them.

The GPU image is not built here; the CPU image stands in for it, which is what `server.gpuImage` is for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import figures, lanes
from cluster import served as serving
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience, stage
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import revision
from ferrydemo.stage import Registered
from localcluster import node

GPU = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"nvidia.com/gpu": "1"}}}


@pytest.fixture(scope="module")
def served_module(installed: Kube, models: Registered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that serves from the only GPU there is."""
    node.advertise_gpus(1)
    reinstall(installed, gpu_image="ferryman.dev/server:dev")
    record = tmp_path_factory.mktemp("served") / "requests.tsv"
    with serving.serve(installed, models, record, server=GPU) as served:
        yield served
    reinstall(installed)
    node.advertise_gpus(0)


def test_a_single_pod_on_the_only_gpu_is_not_stopped_unasked(served: Served):
    stable = revision(served.deployment.status(), "stable")
    pods = served.uids(stable)

    served.patch(served.other(), surge="NoSurge")

    served.until_told("CandidateHealthy", "DowntimeNeeded")
    status = served.deployment.status()
    assert status["waiting"]["cause"] == "Room"
    assert "allowDowntime" in status["waiting"]["unblockedBy"]
    assert not served.deployment.pods(revision(status, "candidate"))
    assert served.uids(stable) == pods

    served.patch(surge="NoSurge", canary={"trafficPercent": 30})

    served.until_told("CandidateHealthy", "NoSplit")
    candidate = revision(served.deployment.status(), "candidate")

    served.settle()

    served.deployment.wait("Stable", lambda said: said.get("phase") == "Stable", ACT_SECONDS)
    events = served.deployment.kube.items(f"/api/v1/namespaces/{served.deployment.namespace}/events")
    told = [event for event in events if event["involvedObject"]["kind"] == "Pod"]
    assert not [event["message"] for event in told if event["involvedObject"]["name"].startswith(f"{candidate}-")]


def test_two_pods_on_two_gpus_are_exchanged_one_by_one_without_a_failed_request(served: Served):
    """Case 98's TestReduceWeightAndHonorMaxUnavailable: never fewer than one pod fewer than before."""
    node.advertise_gpus(2)
    stable = revision(served.deployment.status(), "stable")
    served.deployment.patch({"scaling": {"minReplicas": 2, "maxReplicas": 2}})
    patience.until("two pods", lambda: len(served.uids(stable)) == 2, START_SECONDS)
    better = served.other()

    served.patch(better, surge="NoSurge", canary={"trafficPercent": 50})

    half = served.until_weight(50)
    candidate = revision(half, "candidate")
    assert (len(served.uids(stable)), len(served.uids(candidate))) == (1, 1)
    served.measured(half, 50, seconds=4)
    first = served.uids(candidate)
    served.patch(surge="NoSurge", canary={"trafficPercent": 100})
    served.until_stable(better, START_SECONDS)
    patience.until("both pods exchanged", lambda: len(served.uids(candidate)) == 2, START_SECONDS)
    assert first < served.uids(candidate)
    node.advertise_gpus(1)


def test_a_single_pod_is_exchanged_with_a_gap_where_that_is_allowed(served_module: Served):
    """The one journey in which requests fail, because the spec says that they may; when it is over, none does."""
    served = served_module
    served.settle()
    stable, better = revision(served.deployment.status(), "stable"), served.other()
    patience.until("one pod", lambda: len(served.deployment.pods(stable)) == 1, START_SECONDS)
    began = served.prober.mark()

    served.patch(better, surge="NoSurge", allowDowntime=True)

    served.until_told("Available", "StoppedForCandidate", ACT_SECONDS)
    status = served.until_stable(better, START_SECONDS)
    assert revision(status, "stable") != stable
    measure.settled(served.prober, {revision(status, "stable"): 100}, served.prober.mark())
    again = served.prober.mark()
    gap = served.prober.window(began, again).failures
    figures.note("downtime that was allowed, with one GPU", gap[-1].at - gap[0].at if gap else 0.0)
    assert not measure.window(served.prober, 3).failures


def reinstall(kube: Kube, gpu_image: str = "") -> None:
    """Let the operator take the image for GPUs from somewhere else, or from where it does usually."""
    with lanes.alone():
        stage.operator(kube, poll_seconds=2, gpu_image=gpu_image)
        stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, 60)
