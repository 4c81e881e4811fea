"""The ground that every world of a campaign stands on: one real control plane, one fake kubelet, one memory."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from api_tier import installation
from api_tier.kubectl import Kubectl

from campaign.api import Api
from campaign.nodes import Kubelet
from campaign.past import Past
from campaign.warm import ROOT, Nursery
from localcluster import binaries, controlplane, istio, pki

NEEDED = (
    "--controllers=deployment-controller,replicaset-controller,horizontal-pod-autoscaler-controller,"
    "garbage-collector-controller,namespace-controller,disruption-controller,resourcequota-controller,"
    "serviceaccount-controller"
)
"""Nobody asks for endpoints here, and nothing is scheduled: idle controllers cost a third of a core."""

SELDOM = ("--horizontal-pod-autoscaler-sync-period=15s",)
"""Kubernetes' own default. There are no metrics here, of which an autoscaler complains in an Event at each look."""

ROOMY = 400
"""The apiserver of thousands of plans may use memory to spare work."""


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
    with controlplane.ControlPlane(
        directory / "plane",
        apiserver_args=("--enable-priority-and-fairness=false",),
        controller_manager_args=(*SELDOM, NEEDED, "--concurrent-deployment-syncs=20"),
        apiserver_gogc=ROOMY,
    ) as plane:
        admin = Kubectl(binaries.path("kubectl"), plane.kubeconfig)
        admin("apply", "--server-side", "-f", str(istio.crds_path()))
        installation.install(admin)
        api = Api(plane.kubeconfig)
        past, nursery = Past(api), Nursery(operator)
        kubelet = Kubelet(api, past)
        try:
            await past.start()
            await kubelet.start()
            await nursery.open()
            authority = pki.Authority(plane.directory / "pki")
            yield Ground(directory, plane, admin, api, past, nursery, authority)
        finally:
            await nursery.close()
            await kubelet.stop()
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
