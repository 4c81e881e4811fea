"""Back to a revision that was stable before: at once while its pods are there, else as soon as they are again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cluster import lanes
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience, stage
from ferrydemo.modeldeployment import command, condition, revision, share

MOST_SECONDS = 2.0
"""How long all traffic may take to be back where pods are."""


def test_a_rollback_to_a_revision_on_standby_takes_no_pod_start(served: Served):
    """Promote, then go back: the longest step of every peer's rollback is left out."""
    served.patch(served.other(), canary={"trafficPercent": 50}, standbySeconds=300)
    status = served.until_weight(50)
    old, new = revision(status, "stable"), revision(status, "candidate")
    pods = served.uids(old)
    told = served.prober.mark()
    served.patch(canary={"trafficPercent": 100})
    served.moved("promotion: last answer of the old revision", told, new)
    served.deployment.wait("the promotion", lambda said: revision(said, "stable") == new, ACT_SECONDS)

    with lanes.undisturbed():
        told = served.tell(rollback="previous")

        assert served.moved("instant rollback: last answer of the new revision", told, old) < MOST_SECONDS
    status = served.deployment.wait("the old one stable", lambda said: revision(said, "stable") == old, ACT_SECONDS)
    assert served.uids(old) == pods
    assert status["rejected"]["revision"] == new
    assert status["history"][0]["revision"]["revision"] == new


def test_of_a_promotion_and_a_rollback_told_in_one_breath_the_rollback_is_heard(served: Served):
    """Case 101: promote and rollback within 100 ms."""
    first = revision(served.deployment.status(), "stable")
    second, third = served.other(), served.other(served.other())
    served.patch(second, standbySeconds=300)
    served.until_stable(second, START_SECONDS)
    served.patch(third, canary={"trafficPercent": 30})
    candidate = revision(served.until_weight(30), "candidate")

    told = served.tell(promote=candidate, rollback="previous")

    served.moved("rollback beside a promotion: last answer of another", told, first)
    status = served.deployment.wait("the first stable", lambda said: revision(said, "stable") == first, ACT_SECONDS)
    assert command(status, "rollback")["outcome"] == "Done"
    assert command(status, "promote")["outcome"] == "Refused"
    assert status["rejected"]["revision"] == candidate


def test_a_rollback_whose_artefact_is_gone_moves_no_traffic_and_one_whose_artefact_is_back_does(served: Served):
    """Case 102: after a promotion the earlier artefact can no longer be fetched."""
    first = served.deployment.status()["stable"]
    old, better = first["revision"], served.other()
    served.patch(better, deadlineSeconds=10)
    new = revision(served.until_stable(better, START_SECONDS), "stable")
    patience.until("the old pods to go", lambda: not served.deployment.pods(old), ACT_SECONDS)
    since = served.prober.mark()

    with lanes.undisturbed(), gone(served, first["model"]["uri"]):
        served.tell(rollback="previous")
        message = served.until_told("CandidateHealthy", "ArtifactNotFound")
        assert message.startswith(old)
        status = served.deployment.wait("the end of the attempt", lambda said: not said.get("candidate"), ACT_SECONDS)
        assert status["lastRollout"]["reason"] == "ArtifactNotFound"
        assert revision(status, "stable") == new
        assert set(served.prober.window(since).by_revision) == {new}

    served.patch(deadlineSeconds=None)
    served.tell(rollback="previous again")
    status = served.deployment.wait("the old one stable", lambda said: revision(said, "stable") == old, START_SECONDS)
    assert share(status, "stable") == 100
    measure.settled(served.prober, {old: 100}, served.prober.mark())
    assert condition(status, "CandidateHealthy")["reason"] == "RolledBack"


@contextlib.contextmanager
def gone(served: Served, uri: str) -> Iterator[None]:
    """Put a version's files where nobody finds them, and back."""
    files = next(version.artifacts for version in served.models.versions if version.uri == uri)
    stage.in_tracking_pod(served.deployment.kube, "mv", files, f"{files}.gone")
    try:
        yield
    finally:
        stage.in_tracking_pod(served.deployment.kube, "mv", f"{files}.gone", files)
