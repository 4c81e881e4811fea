"""One revision's autoscaler. Its floor follows the revision's share of traffic.

While a candidate runs, nothing scales the stable revision down: its figures fall with its share, and a rollback must
find it as large as it was.
"""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta, Scaling
from ferryman.render import meta


def autoscaler(owner: ObjectMeta, revision: str, scaling: Scaling, floor: int, may_shrink: bool) -> dict[str, Any]:
    """Return the autoscaler of one revision, never below `floor` pods."""
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": revision},
        "minReplicas": floor,
        "maxReplicas": max(floor, scaling.max_replicas),
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": scaling.target_cpu_utilization},
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
