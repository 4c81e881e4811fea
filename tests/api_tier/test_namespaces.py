"""An installation for some namespaces: its rights end there, and so does its work."""

from __future__ import annotations

from pathlib import Path

from api_tier import installation
from api_tier.kubectl import Kubectl
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from localcluster import binaries, controlplane, istio


def test_an_operator_for_two_namespaces_works_there_and_nowhere_else(tmp_path: Path) -> None:
    with controlplane.ControlPlane(tmp_path / "plane") as plane, Kubelet(plane.kubeconfig):
        kubectl = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
        for namespace in ("ours", "theirs", "alien"):
            kubectl("create", "namespace", namespace)
        kubectl("apply", "--server-side", "-f", str(istio.crds_path()))
        installation.install(kubectl, "watchNamespaces={ours,theirs}")
        rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
        ports = controlplane.free_ports(2)
        operator = OperatorProcess(
            rights,
            tmp_path / "log",
            ports,
            namespaces="ours,theirs",
            drain_seconds="1",
            sweep_seconds="1",
            lease_namespace=installation.OPERATOR_NAMESPACE,
        )
        ours, theirs, alien = (Served(kubectl.inside(name), "fraud") for name in ("ours", "theirs", "alien"))
        operator.start()

        for served in (alien, ours, theirs):
            served.apply("s3://models/v1")

        ours.rests("Stable", "100/0")
        theirs.rests("Stable", "100/0")
        assert operator.stop() == 0
        assert alien.children() == []
        assert "forbidden" not in operator.log().lower(), operator.log()
