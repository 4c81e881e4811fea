"""A cluster that learns its kinds late: the CRD after the operator, Istio after a model, and Istio gone again."""

from __future__ import annotations

from pathlib import Path

import yaml

from api_tier import installation
from api_tier.kubectl import Kubectl, until
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from localcluster import binaries, controlplane, istio


def test_kinds_that_come_and_go_are_noticed(tmp_path: Path) -> None:
    with controlplane.ControlPlane(tmp_path / "plane") as plane, Kubelet(plane.kubeconfig):
        kubectl = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
        rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
        operator = OperatorProcess(rights, tmp_path / "log", controlplane.free_ports(2), drain_seconds="1")
        operator.start()
        try:
            until(lambda: "waiting for the CRD" in operator.log(), what="it knows that there is none yet")
            _story(kubectl, Served(kubectl, "fraud"))
            until(lambda: operator.log().count("watching all namespaces") == 4, what="it began anew three times")
        finally:
            code = operator.stop()
        assert code == 0, operator.log()


def _story(kubectl: Kubectl, fraud: Served) -> None:
    installation.install(kubectl)
    fraud.apply("s3://models/v1")
    fraud.rests("Stable", "100/0", within=60)
    assert fraud.condition("Routed")["reason"] == "IstioMissing"

    kubectl("apply", "--server-side", "-f", str(istio.crds_path()))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    until(lambda: fraud.weights() == {fraud.revision("stable"): 100}, 60, "the route is written once Istio is there")
    until(lambda: fraud.condition("Routed").get("reason") == "RouteProgrammed", what="status tells of it")

    kubectl("delete", "--wait=false", "-f", str(istio.crds_path()))
    until(lambda: fraud.condition("Routed").get("reason") == "IstioMissing", 120, "status tells that Istio is gone")
    fraud.apply("s3://models/v2")
    until(lambda: (fraud.status().get("stable") or {}).get("model", {}).get("uri") == "s3://models/v2", 60)


def test_an_istio_that_is_too_old_is_named_and_not_taken_for_none(tmp_path: Path) -> None:
    with controlplane.ControlPlane(tmp_path / "plane") as plane, Kubelet(plane.kubeconfig):
        kubectl = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
        rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
        operator = OperatorProcess(rights, tmp_path / "log", controlplane.free_ports(2), drain_seconds="1")
        installation.install(kubectl)
        _install_an_old_istio(kubectl)
        operator.start()
        try:
            fraud = Served(kubectl, "fraud")
            fraud.apply("s3://models/v1")
            until(lambda: "Istio 1.22" in fraud.condition("Ready").get("message", ""), 60, "status names the version")
        finally:
            code = operator.stop()
        assert code == 0, operator.log()


def _install_an_old_istio(kubectl: Kubectl) -> None:
    """Install Istio's kinds as releases before 1.22 had them: in v1beta1, and not in v1."""
    for document in yaml.safe_load_all(istio.crds_path().read_text()):
        if document and document["kind"] == "CustomResourceDefinition":
            spec = document["spec"]
            spec["versions"] = [each for each in spec["versions"] if each["name"] != "v1"] or spec["versions"]
            stored = [each for each in spec["versions"] if each.get("storage")]
            if not stored:
                spec["versions"][0]["storage"] = True
            kubectl.apply(document)
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
