"""What the apiserver refuses shows in the status with its reason and its words; what serves serves on; it heals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api_tier import installation
from api_tier.direct import connected
from api_tier.kubectl import Kubectl, Refused, until
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served, body
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.clock import Steady
from ferryman.cluster import errors
from ferryman.look import Look
from localcluster import controlplane

V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}

SOON = 15.0
"""Within which a failure has to show."""
HEALED = 40.0
"""Within which everything has to be well after its cause is gone: the longest wait between attempts, and a bit."""

Body = dict[str, Any]


@pytest.fixture
def serving(fraud: Served) -> Served:
    """A model that serves, and of which the next version is to get ten percent."""
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    until(lambda: ready(fraud) == "Ready", what="it is ready")
    return fraud


def ready(served: Served) -> str | None:
    return served.condition("Ready").get("reason")


def tells(served: Served, reason: str, *words: str) -> Body:
    """Wait until Ready is False for a reason; see that it says why, and that the facts are not touched."""
    until(lambda: ready(served) == reason, SOON, f"Ready tells of {reason}")
    found = served.condition("Ready")
    assert found["status"] == "False"
    for word in words:
        assert word in found["message"]
    assert found["observedGeneration"] == served.read()["metadata"]["generation"]
    assert served.status()["reason"] == reason
    return found


def stays(served: Served, seconds: float) -> None:
    """See that the operator goes on trying, and writes nothing meanwhile."""
    before = served.read()["metadata"]["resourceVersion"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert served.read()["metadata"]["resourceVersion"] == before, served.condition("Ready")
        time.sleep(0.5)


def told(served: Served) -> set[str]:
    events = served.kubectl.list("events.v1.events.k8s.io")
    return {event["reason"] for event in events if event["regarding"].get("kind") == "ModelDeployment"}


@contextmanager
def quota(served: Served, **hard: str) -> Iterator[None]:
    name = {"metadata": {"name": "small"}}
    served.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", **name, "spec": {"hard": hard}})
    counted = "status"
    until(lambda: (served.kubectl.get("resourcequota", "small") or {})[counted].get("used"), what="the quota holds")
    yield
    served.kubectl("delete", "resourcequota", "small")


def test_a_quota_that_does_not_allow_the_candidate_is_told_and_stable_serves_on(serving: Served) -> None:
    v1 = serving.revision("stable")
    with quota(serving, **{"count/deployments.apps": "1"}):
        serving.apply(V2, rollout=TEN)

        found = tells(serving, "QuotaExceeded", "apply Deployment", "exceeded quota: small")
        assert serving.weights() == {v1: 100}
        assert serving.condition("Available")["status"] == "True"
        until(lambda: "QuotaExceeded" in told(serving), what="it is told in an Event, too")
        stays(serving, 6)
        assert serving.condition("Ready") == found

    serving.rests("Canary", "90/10", within=HEALED)
    until(lambda: ready(serving) == "Ready", what="it is ready")


def test_a_refusal_outlives_the_operator_and_ready_never_says_otherwise(
    serving: Served, operator: OperatorProcess
) -> None:
    with quota(serving, **{"count/deployments.apps": "1"}):
        serving.apply(V2, rollout=TEN)
        found = tells(serving, "QuotaExceeded")

        operator.kill()
        failures = operator.log().count("exceeded quota")
        operator.start()

        until(lambda: operator.log().count("exceeded quota") >= failures + 3, what="it has tried again")
        assert serving.condition("Ready") == found
        stays(serving, 3)

    serving.rests("Canary", "90/10", within=HEALED)
    until(lambda: ready(serving) == "Ready", what="it is ready")


@contextmanager
def without_right(admin: Kubectl, resource: str, *verbs: str) -> Iterator[None]:
    """Take verbs from the operator's role, and give them back."""
    cluster = admin.inside(None)
    role = json.loads(cluster("get", "clusterrole", "ferryman", "-o", "json"))
    less = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if resource not in rule["resources"] or verb not in verbs]}
        for rule in role["rules"]
    ]

    def grant(rules: list[Body]) -> None:
        cluster("patch", "clusterrole", "ferryman", "--type=merge", "-p", json.dumps({"rules": rules}))

    grant([rule for rule in less if rule["verbs"]])
    try:
        yield
    finally:
        grant(role["rules"])


def test_a_right_that_is_taken_away_is_told_with_its_verb_and_kind(serving: Served, admin: Kubectl) -> None:
    with without_right(admin, "horizontalpodautoscalers", "patch", "create"):
        serving.patch(scaling={"minReplicas": 2})

        tells(serving, "PermissionDenied", "HorizontalPodAutoscaler", "cannot patch resource")
        assert serving.condition("Available")["status"] == "True"

    until(lambda: ready(serving) == "Ready", HEALED, "it is ready")


def test_what_can_be_done_without_the_right_is_done(serving: Served, admin: Kubectl) -> None:
    v1 = serving.revision("stable")
    with without_right(admin, "horizontalpodautoscalers", "patch", "create"):
        serving.apply(V2, rollout=TEN)

        tells(serving, "PermissionDenied", "HorizontalPodAutoscaler")
        until(lambda: len(serving.weights()) == 2, what="the candidate has its share all the same")
        serving.canary(0)
        until(lambda: serving.weights() == {v1: 100}, what="and gives it back")

    serving.rests("Stable", "100/0", within=HEALED)


def test_a_kind_that_may_not_be_read_is_told(serving: Served, admin: Kubectl) -> None:
    with without_right(admin, "services", "list"):
        serving.patch(scaling={"minReplicas": 2})

        tells(serving, "PermissionDenied", "list Service", "cannot list resource")
        assert serving.condition("Available")["status"] == "True"

    until(lambda: ready(serving) == "Ready", HEALED, "it is ready")


@contextmanager
def policy(admin: Kubectl, namespace: str | None, message: str, probe: Callable[[], object]) -> Iterator[None]:
    """Let a policy deny every Deployment of a namespace."""
    cluster, name = admin.inside(None), f"deny-{namespace}"
    kinds = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    cluster.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [kinds]},
                "validations": [{"expression": "false", "message": message}],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": str(namespace)}}
                },
            },
        },
    )
    until(lambda: refuses(probe), what="the policy is in force")
    try:
        yield
    finally:
        cluster("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def refuses(probe: Callable[[], object]) -> bool:
    try:
        probe()
    except Refused:
        return True
    return False


def test_a_policy_that_denies_is_told_in_its_own_words(serving: Served, admin: Kubectl) -> None:
    def probe() -> object:
        return serving.kubectl("create", "deployment", "probe", "--image=none", "--dry-run=server")

    with policy(admin, serving.kubectl.namespace, "not before noon", probe):
        serving.apply(V2, rollout=TEN)

        tells(serving, "AdmissionDenied", "apply Deployment", "not before noon")
        assert serving.condition("Available")["status"] == "True"

    serving.rests("Canary", "90/10", within=HEALED)


def test_an_object_that_cannot_become_what_it_is_to_be_is_told(serving: Served, operator: OperatorProcess) -> None:
    v1 = str(serving.revision("stable"))
    found = serving.kubectl.get("deployment", v1)
    assert found is not None
    labels = {**found["spec"]["selector"]["matchLabels"], "one": "more"}
    metadata = {name: found["metadata"][name] for name in ("name", "labels", "annotations", "ownerReferences")}
    template = {"metadata": {"labels": labels}, "spec": found["spec"]["template"]["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    operator.kill()
    serving.kubectl("delete", "deployment", v1)
    serving.kubectl.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    operator.start()

    tells(serving, "ObjectInvalid", f"apply Deployment {v1}", "immutable")

    serving.kubectl("delete", "deployment", v1)
    until(lambda: ready(serving) == "Ready", HEALED, "it is ready")


def test_a_name_that_is_taken_is_told_and_its_owner_left_alone(fraud: Served) -> None:
    spec = {"ports": [{"port": 1}]}
    fraud.kubectl.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fraud"}, "spec": spec})

    fraud.apply(V1)

    tells(fraud, "NameConflict", "apply Service fraud", "does not belong to ModelDeployment fraud")
    stays(fraud, 6)
    assert "ownerReferences" not in (fraud.kubectl.get("service", "fraud") or {})["metadata"]
    fraud.kubectl("delete", "service", "fraud")
    fraud.rests("Stable", "100/0", within=HEALED)
    until(lambda: ready(fraud) == "Ready", what="it is ready")


async def test_a_status_of_what_is_gone_is_dropped(plane: controlplane.ControlPlane, fraud: Served) -> None:
    fraud.kubectl.apply(body("other", V1))
    found = fraud.kubectl.get("mdep", "other")
    assert found is not None
    fraud.kubectl("delete", "mdep", "other")

    async with connected(plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)) as client:
        look = Look(client, Steady()())
        look.found(ObjectMeta.model_validate(found["metadata"]), ModelDeploymentStatus())
        with pytest.raises(errors.Vanished):
            await look.record(ModelDeploymentStatus(withdrawn="fraud-1"))


def test_a_namespace_that_is_going_is_left_in_peace(
    kubectl: Kubectl, admin: Kubectl, operator: OperatorProcess
) -> None:
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stays", "finalizers": ["example.com/held"]}}
    )
    admin("delete", "namespace", str(kubectl.namespace), "--wait=false")
    until(lambda: not kubectl.list("mdep,deployments,services"), what="all of it is gone but what is held")
    before = operator.log()

    time.sleep(3)

    assert operator.log().count(str(kubectl.namespace)) == before.count(str(kubectl.namespace))
    assert "Traceback" not in operator.log()
    kubectl.patch("configmap", "stays", {"metadata": {"finalizers": None}})
    until(lambda: admin.inside(None).get("namespace", str(kubectl.namespace)) is None, what="it is gone")
    admin("create", "namespace", str(kubectl.namespace))
    fraud.apply(V2)
    fraud.rests("Stable", "100/0")
