"""One revision's autoscaler. Its floor follows the revision's share of traffic.

While a candidate runs, nothing scales the stable revision down: its figures fall with its share, and a rollback must
find it as large as it was. An autoscaler leaves a Deployment alone that was scaled to zero.
"""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.scaling import Scaling
from ferryman.render import meta
from ferryman.rollout.capacity import Size


def autoscaler(
    owner: ObjectMeta, revision: str, scaling: Scaling, bounds: Size, *, may_shrink: bool
) -> dict[str, Any]:
    """Return the autoscaler of one revision, which keeps its pods in the bounds."""
    least = max(bounds.floor, 1)
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": revision},
        "minReplicas": least,
        "maxReplicas": max(least, bounds.ceiling),
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": scaling.utilization},
                },
            }
        ],
    }
    if not may_shrink:
        spec["behavior"] = {"scaleDown": {"selectPolicy": "Disabled"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta.metadata(owner, revision, revision),
        "spec": spec,
    }
