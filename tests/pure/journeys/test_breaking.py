"""A candidate that would break those who call stable: held before it has a pod, until somebody allows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pure.simulation import Cluster

from ferryman.api.revision import ResolvedModel
from ferryman.api.status import Phase
from ferryman.outcome import Unresolved

V1, V2, V3 = "models:/fraud/1", "models:/fraud/2", "models:/fraud/3"
NEEDS = 'it needs "hour" (long), which stable does not take'


@dataclass
class Compared(Cluster):
    """A cluster beside a registry that knows what the next candidate breaks."""

    said: tuple[str, ...] | None = ()

    def resolved(self) -> ResolvedModel | Unresolved:
        uri = self.spec["model"]["uri"]
        return ResolvedModel(uri=uri, requested=uri, version=uri.rsplit("/", 1)[-1])

    def breaks(self) -> tuple[str, ...] | None:
        return self.said


def serving(**rollout: Any) -> Compared:
    cluster = Compared()
    cluster.patch(model={"uri": V1}, rollout={"deadlineSeconds": 60, "canary": {"trafficPercent": 10}, **rollout})
    cluster.settle()
    return cluster


def broken(cluster: Compared) -> Compared:
    """Release a version that needs an input more."""
    cluster.said = (NEEDS,)
    cluster.model(V2)
    cluster.settle()
    return cluster


def test_it_is_held_before_it_has_a_pod_and_past_its_deadline() -> None:
    cluster = broken(serving())
    cluster.wait(3600)
    cluster.settle()

    assert (cluster.status.phase, cluster.candidate) == (Phase.STARTING, V2)
    assert cluster.running() == {V1}
    assert cluster.weights() == {V1: 100}
    assert cluster.condition("SignatureCompatible") == ("False", "SignatureBreaks")
    assert cluster.condition("Ready") == ("False", "SignatureBreaks")
    message = next(each.message for each in cluster.status.conditions if each.type == "SignatureCompatible")
    assert NEEDS in message
    assert cluster.status.waiting is not None
    assert "allowBreaking" in cluster.status.waiting.unblocked_by
    assert [notice.reason for notice in cluster.notices if notice.type == "Warning"].count("SignatureBreaks") >= 1


def test_it_goes_on_once_that_is_allowed_and_what_has_begun_is_not_held_any_more() -> None:
    cluster = broken(serving())

    cluster.patch(rollout={**cluster.spec["rollout"], "allowBreaking": True})
    cluster.settle()
    assert cluster.weights() == {V1: 90, V2: 10}
    assert cluster.condition("SignatureCompatible") == ("False", "BreakingAllowed")
    assert cluster.condition("Ready") == ("True", "Ready")

    cluster.patch(rollout={"deadlineSeconds": 60, "canary": {"trafficPercent": 50}})
    cluster.settle()
    assert cluster.weights() == {V1: 50, V2: 50}


def test_another_version_takes_its_place() -> None:
    cluster = broken(serving())

    cluster.said = ()
    cluster.model(V3)
    cluster.settle()

    assert cluster.weights() == {V1: 90, V3: 10}
    assert cluster.condition("SignatureCompatible") == ("True", "SignatureKept")


def test_promote_does_not_stand_for_a_permission() -> None:
    cluster = broken(serving())
    assert cluster.status.candidate is not None

    cluster.annotate("promote", cluster.status.candidate.revision)
    cluster.settle()

    assert cluster.weights() == {V1: 100}
    assert cluster.stable == V1


def test_what_nobody_can_compare_is_not_held() -> None:
    cluster = serving()
    cluster.said = None
    cluster.model(V2)
    cluster.settle()

    assert cluster.weights() == {V1: 90, V2: 10}
    assert cluster.condition("SignatureCompatible") == ("Unknown", "SignatureUnknown")
    assert cluster.condition("Ready") == ("True", "Ready")


def test_a_rollback_is_never_held() -> None:
    cluster = serving(canary={"trafficPercent": 100})
    cluster.model(V2)
    cluster.settle()
    assert cluster.stable == V2

    cluster.said = (NEEDS,)
    cluster.annotate("rollback", "previous")
    cluster.settle()

    assert cluster.stable == V1


def test_without_a_candidate_there_is_nothing_to_compare() -> None:
    assert "SignatureCompatible" not in {condition.type for condition in serving().status.conditions}


def test_of_a_model_that_was_logged_and_not_registered_nobody_can_say_what_it_breaks() -> None:
    cluster = serving()
    cluster.said = None
    cluster.model("models:/m-" + "0" * 32)
    cluster.settle()

    assert cluster.condition("SignatureCompatible") == ("Unknown", "SignatureUnknown")
    assert cluster.weights()[V1] == 90
