"""A look at all that the operator writes for one object, to be compared with a later look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment

KINDS = (
    "/apis/ferryman.dev/v1alpha1/namespaces/{}/modeldeployments",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/api/v1/namespaces/{}/services",
    "/apis/networking.istio.io/v1/namespaces/{}/virtualservices",
    "/apis/networking.istio.io/v1/namespaces/{}/destinationrules",
)
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"


@dataclass(frozen=True, slots=True)
class Quiet:
    """How a namespace stood at a moment."""

    deployment: ModelDeployment
    since: float
    """Seconds on the monotonic clock."""
    children: dict[str, str]


def children(kube: Kube, namespace: str) -> dict[str, str]:
    """Return the resourceVersion of everything that the operator writes.

    An autoscaler's own controller writes its status every quarter of a minute, which moves its resourceVersion: for
    that kind it is the operator's entry in the managed fields that must not move.
    """
    found = {
        f"{path.rsplit('/', 1)[1]}/{body['metadata']['name']}": body["metadata"]["resourceVersion"]
        for path in KINDS
        for body in kube.items(path.format(namespace))
    }
    autoscalers = {
        f"horizontalpodautoscalers/{body['metadata']['name']}": _written(body)
        for body in kube.items(AUTOSCALERS.format(namespace))
    }
    return found | autoscalers


def _written(body: dict[str, Any]) -> str:
    return ", ".join(
        f"{entry['manager']} {entry['operation']} {entry.get('time')}"
        for entry in body["metadata"].get("managedFields", [])
        if entry.get("subresource") != "status"
    )
