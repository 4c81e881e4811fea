"""The chart's rights against what the operator does in the day of a model: nothing denied, nothing more than needed.

What only a real node brings about is shown by tests/cluster/test_rights.py, over the whole of that tier.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster import audit
from cluster.audit import Request, Right

from api_tier import installation, served
from api_tier.kubectl import Kubectl, Refused, until
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.render import service
from localcluster import binaries, controlplane

ENFORCED = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
"""Some clusters ask for a right on the owner before a child may name it; this one does."""

ASKED_BY_ADMISSION = {Right("ferryman.dev", "modeldeployments/finalizers", "update")}
"""Asked for by that plugin in the name of the user, so that it stands in no log."""

NEEDS_A_NODE = {Right("apps", "replicasets", "list"), Right("events.k8s.io", "events", "list")}
"""Where a pod's trouble is looked for after a while without a word."""

GOLDEN = Path(__file__).parent / "golden"
LAST = "asked-for-last"


@dataclass(frozen=True, slots=True)
class Day:
    """What was asked in the day, and what the chart gives."""

    requests: list[Request]
    granted: set[Right]
    listed: dict[str, str]
    """What `kubectl auth can-i --list` says of an operator for all namespaces, and of one for some."""
    without_finalizers: str
    """What somebody is told who makes a child with all of the operator's rights but the one on finalizers."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    directory = tmp_path_factory.mktemp("rights")
    with (
        controlplane.ControlPlane(
            directory / "plane", apiserver_args=(ENFORCED,), audited=(installation.SERVICE_ACCOUNT,)
        ) as plane,
        Kubelet(plane.kubeconfig),
    ):
        kubectl = installation.admin_of(plane)
        _live(kubectl, plane, directory / "log")
        operator = Kubectl(binaries.path("kubectl"), plane.kubeconfig_of(installation.SERVICE_ACCOUNT))
        operator("get", "modeldeployment", LAST, "--ignore-not-found")
        until(lambda: any(each.name == LAST for each in audit.requests(plane.audit_log)), what="the log is complete")
        asked = [each for each in audit.requests(plane.audit_log) if each.name != LAST]
        granted = audit.granted(installation.chart(), "ferryman")
        yield Day(asked, granted, _listed(kubectl), _without_finalizers(kubectl, plane))


def _listed(kubectl: Kubectl) -> dict[str, str]:
    """Install a second operator, for one namespace, and ask what either may do where."""
    kubectl("create", "namespace", "ours")
    kubectl("create", "namespace", "alien")
    narrow = installation.chart("watchNamespaces={ours}", "fullnameOverride=narrow")
    assert not re.search(r"^kind: ClusterRoleBinding", narrow, re.MULTILINE), "nothing is bound in all namespaces"
    kubectl.inside(None)("apply", "--server-side", "-f", "-", stdin=narrow)
    asked = [
        *(("all namespaces", "ferryman", where) for where in ("ours", installation.OPERATOR_NAMESPACE)),
        *(("one namespace", "narrow", where) for where in ("ours", "alien", installation.OPERATOR_NAMESPACE)),
    ]
    found: dict[str, str] = {}
    for mode, account, where in asked:
        user = f"--as=system:serviceaccount:{installation.OPERATOR_NAMESPACE}:{account}"
        table = kubectl.inside(where)("auth", "can-i", "--list", user).splitlines()
        rights = sorted(re.sub(r"  +", "  ", line) for line in table[1:] if not line.startswith(" "))
        found[mode] = found.get(mode, "") + f"# in {where}\n" + "\n".join(rights) + "\n"
    return found


def _without_finalizers(kubectl: Kubectl, plane: controlplane.ControlPlane) -> str:
    """Make a child with the rights that children and their owners take; return what is said to that."""
    models = kubectl.inside("models")
    models("create", "-f", "-", stdin=json.dumps(served.body("poor", "s3://models/v1")))
    models("create", "role", "poor", "--resource=services,modeldeployments.ferryman.dev", "--verb=get,create,patch")
    models("create", "rolebinding", "poor", "--role=poor", "--user=poor")
    owner = models.get("modeldeployment", "poor")
    assert owner is not None
    child = service.front(ObjectMeta.model_validate({**owner["metadata"], "generation": 1}), "poor-0", "{}")
    poor = Kubectl(binaries.path("kubectl"), plane.kubeconfig_of("poor"), "models")
    with pytest.raises(Refused) as refused:
        poor("apply", "--server-side", "-f", "-", stdin=json.dumps(child))
    return str(refused.value)


def _live(kubectl: Kubectl, plane: controlplane.ControlPlane, log: Path) -> None:
    rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
    operator = OperatorProcess(
        rights,
        log,
        controlplane.free_ports(2),
        drain_seconds="1",
        lease_namespace=installation.OPERATOR_NAMESPACE,
    )
    operator.start()
    try:
        kubectl("create", "namespace", "models")
        fraud = Served(kubectl.inside("models"), "fraud")
        fraud.apply("s3://models/v1", rollout={"history": 0})
        fraud.rests("Stable", "100/0")
        first = fraud.revision("stable")
        fraud.apply("s3://models/v2", rollout={"history": 0, "canary": {"trafficPercent": 10}})
        fraud.rests("Canary", "90/10")
        fraud.canary(100)
        fraud.rests("Stable", "100/0")
        until(lambda: first not in {name for _, name in fraud.names()}, what=f"{first} has gone with all it had")
        fraud.patch(scaling={"replicas": 2})
        until(lambda: not [kind for kind, _ in fraud.names() if kind == "HorizontalPodAutoscaler"])
        fraud.kubectl("delete", "mdep", "fraud")
    finally:
        assert operator.stop() == 0, operator.log()
    assert "forbidden" not in operator.log().lower(), operator.log()


def test_nothing_that_the_operator_asked_was_denied(day: Day) -> None:
    assert audit.denied(day.requests, day.granted) == []


def test_every_right_that_was_used_is_the_chart_s(day: Day) -> None:
    assert audit.used(day.requests) - day.granted == set()


def test_every_right_that_was_given_was_used(day: Day) -> None:
    assert day.granted - audit.used(day.requests) - ASKED_BY_ADMISSION - NEEDS_A_NODE == set()


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_what_an_operator_may_do_is_written_down(day: Day, mode: str) -> None:
    """S3, S4: an operator for some namespaces may do nothing in any other, and needs no ClusterRole."""
    golden = GOLDEN / f"can-i-in-{mode.replace(' ', '-')}.txt"
    if os.environ.get("FERRYMAN_UPDATE_GOLDEN"):
        golden.write_text(day.listed[mode])

    assert day.listed[mode] == golden.read_text()


def test_what_admission_asks_for_is_needed(day: Day) -> None:
    """Whoever has every right of the chart but that one cannot make a child."""
    assert "cannot set blockOwnerDeletion" in day.without_finalizers


def test_there_is_no_right_on_secrets_nor_on_rights(day: Day) -> None:
    """S1, S2: what would let the operator read, or become, more than it is."""
    forbidden = {"secrets", "serviceaccounts", "serviceaccounts/token", "pods/exec", "pods/attach", "nodes/proxy"}
    given = {right.resource for right in day.granted}

    assert given & forbidden == set()
    assert "*" not in {part for right in day.granted for part in right}
    assert {right.group for right in day.granted} & {
        "rbac.authorization.k8s.io",
        "admissionregistration.k8s.io",
    } == set()
    assert {right.verb for right in day.granted} & {"escalate", "bind", "impersonate", "deletecollection"} == set()


def test_every_write_was_made_where_a_modeldeployment_is(day: Day) -> None:
    assert len([request for request in day.requests if request.right.verb in audit.WRITES]) > 20
    assert audit.strays(day.requests, installation.OPERATOR_NAMESPACE) == []
