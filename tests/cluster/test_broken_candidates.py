"""Candidates that cannot serve: each is named in status, gets no request, and leaves the stable revision alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from cluster import lanes
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience, stage
from ferrydemo.kube import Kube, KubectlError
from ferrydemo.modeldeployment import condition, revision


@pytest.mark.parametrize(
    ("uri", "reason", "named"),
    [
        ("models:/pool/99", "VersionNotFound", "99"),
        ("models:/pool@nowhere", "AliasNotFound", "nowhere"),
        ("models:/nobody/1", "ModelNotFound", "nobody"),
    ],
)
def test_what_the_registry_does_not_have_is_named(served: Served, uri: str, reason: str, named: str):
    served.patch(uri, canary={"trafficPercent": 10})

    message = served.until_told("ModelResolved", reason)

    assert named in message
    assert not served.deployment.status().get("candidate")


def test_a_registry_that_does_not_answer_is_said_to_be_silent_and_is_asked_again(served: Served):
    kube = served.deployment.kube
    stage.alias(kube, "unheard", served.other())
    with silent_registry(kube):
        served.patch("models:/pool@unheard", canary={"trafficPercent": 20})

        served.until_told("ModelResolved", "RegistryUnavailable")

    served.until_weight(20)


def test_a_model_that_does_not_load_is_rolled_back_with_its_own_words(served: Served):
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.models.of("unloadable").uri, canary={"trafficPercent": 10}, deadlineSeconds=30)

    served.until_told("CandidateHealthy", "LoadFailed", ACT_SECONDS)  # it has to start before it can fail to load
    status = served.deployment.wait("a rejection", lambda said: said.get("rejected"), START_SECONDS)

    assert status["rejected"]["reason"] == "LoadFailed"
    assert "payment_features" in status["rejected"]["message"]
    assert revision(status, "stable") == stable


def test_an_artefact_that_is_gone_is_named(served: Served):
    served.patch(served.models.of("lost").uri, canary={"trafficPercent": 10})

    served.until_fetch_failed()
    message = served.until_told("CandidateHealthy", "ArtifactNotFound")

    assert message
    assert no_candidate_pod_is_ready(served)


def test_an_artefact_with_another_digest_is_named(served: Served):
    served.since = served.prober.mark()
    digest = "sha256:" + "0" * 64
    served.deployment.patch(
        {"model": {"uri": served.other(), "digest": digest}, "rollout": {"canary": {"trafficPercent": 10}}}
    )

    served.until_fetch_failed()
    message = served.until_told("CandidateHealthy", "ArtifactCorrupt")

    assert digest in message
    assert no_candidate_pod_is_ready(served)


def test_a_pod_that_fits_on_no_node_names_the_resource(served: Served):
    served.deployment.patch(
        {
            "model": {"uri": served.other()},
            "server": {"resources": {"limits": {"nvidia.com/gpu": "1"}}},
            "rollout": {"canary": {"trafficPercent": 10}, "deadlineSeconds": 10},
        }
    )

    message = served.until_told("CandidateHealthy", "Unschedulable")

    assert "nvidia.com/gpu" in message
    status = served.deployment.wait("a rejection", lambda said: said.get("rejected"), ACT_SECONDS)
    assert status["rejected"]["reason"] == "Unschedulable"


def test_a_broken_revision_is_not_tried_again_by_itself(served: Served):
    served.patch(served.models.of("lost").uri, canary={"trafficPercent": 10}, deadlineSeconds=10)
    rejected = served.deployment.wait("a rejection", lambda said: said.get("rejected"), ACT_SECONDS)["rejected"]

    served.patch(canary={"trafficPercent": 30})

    status = served.deployment.wait(
        "to be quiet", lambda said: not said.get("candidate") and not said.get("retiring"), ACT_SECONDS
    )
    assert status["rejected"]["revision"] == rejected["revision"]
    assert condition(status, "Ready")["status"] == "False"
    patience.until("its pods to go", lambda: not served.deployment.pods(rejected["revision"]), ACT_SECONDS)


def test_from_bad_to_bad_to_good_ends_as_if_only_the_good_one_had_been_named(served: Served):
    """Mirrors TestRolloutBadToBadUpdate and TestRolloutBadToGoodUpdate; case 80."""
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.models.of("lost").uri, canary={"trafficPercent": 30})
    served.until_fetch_failed()
    served.until_told("CandidateHealthy", "ArtifactNotFound")
    served.patch(served.models.of("unloadable").uri)
    served.until_told("CandidateHealthy", "LoadFailed", START_SECONDS)

    served.patch(served.other())

    status = served.until_weight(30)
    assert revision(status, "stable") == stable
    assert not status.get("rejected")
    served.measured(status, 30, seconds=3)


def test_a_spec_that_is_refused_changes_nothing_and_a_mended_one_is_rolled_out(served: Served):
    """Mirrors TestFixInvalidSpec."""
    before = served.deployment.read()["metadata"]["generation"]
    falling = [{"trafficPercent": 50}, {"trafficPercent": 20}]
    with pytest.raises(KubectlError, match="steps"):
        served.patch(served.other(), canary={"steps": falling})
    assert served.deployment.read()["metadata"]["generation"] == before

    served.patch(served.other(), canary={"steps": list(reversed(falling))})

    served.measured(served.until_weight(50), 50, seconds=3)


def no_candidate_pod_is_ready(served: Served) -> bool:
    candidate = revision(served.deployment.status(), "candidate")
    return not any(pod.ready for pod in served.deployment.pods(candidate))


@contextlib.contextmanager
def silent_registry(kube: Kube) -> Iterator[None]:
    """Stop the tracking server's process where it stands, and let it go on: it takes connections and says nothing.

    Taking it off its Service would not do: a client that is connected stays connected.
    """
    with lanes.alone():
        stage.in_tracking_pod(kube, "python", "-c", SIGNAL, "SIGSTOP")
        try:
            yield
        finally:
            stage.in_tracking_pod(kube, "python", "-c", SIGNAL, "SIGCONT")
            stage.rolled_out(kube, "ml", "mlflow", ACT_SECONDS)


SIGNAL = """
import os, signal, sys
for pid in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())):
    with open(f"/proc/{pid}/cmdline") as line:
        if "mlflow.server" in line.read():
            os.kill(pid, getattr(signal, sys.argv[1]))
"""
