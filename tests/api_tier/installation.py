"""The chart as it is installed, without the operator's own pod: a process stands for that."""

from __future__ import annotations

import subprocess

from api_tier.kubectl import Kubectl
from api_tier.operator_process import ROOT
from localcluster import binaries

OPERATOR_NAMESPACE = "ferryman-system"
SERVICE_ACCOUNT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:ferryman"
GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{OPERATOR_NAMESPACE}", "system:authenticated")


def install(kubectl: Kubectl) -> None:
    """Install the chart's objects, and wait until the cluster knows their kinds."""
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}})
    kubectl.inside(OPERATOR_NAMESPACE)("apply", "--server-side", "-f", "-", stdin=chart())
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def chart(*arguments: str) -> str:
    """Return the chart's objects, without the operator's own pod: the process stands for it."""
    shown = ("crd", "serviceaccount", "role", "rolebinding", "userroles")
    command = [
        *(str(binaries.path("helm")), "template", "ferryman", str(ROOT / "charts" / "ferryman")),
        *("--namespace", OPERATOR_NAMESPACE, "--kube-version", "1.34"),
        *(part for name in shown for part in ("--show-only", f"templates/{name}.yaml")),
        *arguments,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
