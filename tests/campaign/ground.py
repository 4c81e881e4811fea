"""The ground that every world of a campaign stands on: one real control plane, one fake kubelet, one memory."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from api_tier import installation
from api_tier.kubectl import Kubectl
from api_tier.kubelet import Kubelet

from campaign.api import Api
from campaign.past import Past
from campaign.warm import ROOT, Nursery
from localcluster import binaries, controlplane, istio, pki


@dataclass(frozen=True, slots=True)
class Ground:
    """What worlds share."""

    directory: Path
    plane: controlplane.ControlPlane
    admin: Kubectl
    api: Api
    past: Past
    nursery: Nursery
    authority: pki.Authority

    def install(self, namespace: str) -> Path:
        """Make a namespace with the rights that the chart gives an operator; return its way to the apiserver."""
        self.admin.inside(None).apply(_namespace(namespace))
        self.admin.inside(None)("apply", "--server-side", "-f", "-", stdin=_chart(namespace))
        return self.plane.kubeconfig_of(
            f"system:serviceaccount:{namespace}:ferryman",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        )


@asynccontextmanager
async def prepared(directory: Path, operator: Path) -> AsyncIterator[Ground]:
    """Start the control plane and all that belongs to it, for operators from a folder; end them in the end."""
    quick = ("--horizontal-pod-autoscaler-sync-period=1s", "--concurrent-deployment-syncs=20")
    with controlplane.ControlPlane(directory / "plane", controller_manager_args=quick) as plane:
        admin = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
        admin("apply", "--server-side", "-f", str(istio.crds_path()))
        installation.install(admin)
        with Kubelet(plane.kubeconfig):
            api = Api(plane.kubeconfig)
            past, nursery = Past(api), Nursery(operator)
            try:
                await past.start()
                await nursery.open()
                authority = pki.Authority(plane.directory / "pki")
                yield Ground(directory, plane, admin, api, past, nursery, authority)
            finally:
                await nursery.close()
                await past.stop()
                await api.close()


def _namespace(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _chart(namespace: str) -> str:
    """Return the rights of an operator that lives in a namespace and watches it alone."""
    command = [
        *(str(binaries.path("helm")), "template", "ferryman", str(ROOT / "charts" / "ferryman")),
        *("--namespace", namespace, "--kube-version", "1.34", "--set", f"watchNamespaces={{{namespace}}}"),
        *(
            part
            for name in ("serviceaccount", "role", "rolebinding")
            for part in ("--show-only", f"templates/{name}.yaml")
        ),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
