"""The chart as it is installed, without the operator's own pod: a process stands for that."""

from __future__ import annotations

import subprocess

from api_tier.kubectl import Kubectl
from api_tier.operator_process import ROOT
from localcluster import binaries, istio
from localcluster.controlplane import ControlPlane

OPERATOR_NAMESPACE = "ferryman-system"
SERVICE_ACCOUNT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:ferryman"
GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{OPERATOR_NAMESPACE}", "system:authenticated")


def admin_of(plane: ControlPlane) -> Kubectl:
    """Return a cluster admin, who has installed Istio's kinds and the chart's."""
    kubectl = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
    kubectl("apply", "--server-side", "-f", str(istio.crds_path()))
    install(kubectl)
    return kubectl


def install(kubectl: Kubectl, *values: str) -> None:
    """Install the chart's objects, and wait until the cluster knows their kinds."""
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}})
    kubectl.inside(None)("apply", "--server-side", "-f", "-", stdin=chart(*values))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def chart(*values: str) -> str:
    """Return the chart's objects for some values, each as NAME=VALUE, without the operator's own pod."""
    shown = ("crd", "serviceaccount", "role", "rolebinding", "userroles")
    command = [
        *(str(binaries.path("helm")), "template", "ferryman", str(ROOT / "charts" / "ferryman")),
        *("--namespace", OPERATOR_NAMESPACE, "--kube-version", "1.34"),
        *(part for name in shown for part in ("--show-only", f"templates/{name}.yaml")),
        *(part for value in values for part in ("--set", value)),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
