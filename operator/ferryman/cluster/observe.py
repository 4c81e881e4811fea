"""One look at everything that a ModelDeployment owns.

Only objects whose controller is this very ModelDeployment count as its children; one that merely carries the name
or the label is left alone. Pods are owned by ReplicaSets, so they are known by their labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import errors, kinds, obstacle, refusal, seen
from ferryman.cluster.client import Client
from ferryman.cluster.mesh import Mesh
from ferryman.observed import Observed
from ferryman.render import names

Body = dict[str, Any]


async def observe(client: Client, mesh: Mesh, owner: ObjectMeta, now: datetime) -> Observed:
    """Look at the children and pods of one ModelDeployment, and further where those leave a question open."""
    with_mesh = await mesh.served()
    looked_at = (*kinds.CHILDREN, *(kinds.MESH_CHILDREN if with_mesh else ()), kinds.POD)
    selector = f"{names.LABEL_DEPLOYMENT}={owner.name}"
    try:
        *found, pods = await asyncio.gather(*(client.list(kind, owner.namespace, selector) for kind in looked_at))
    except errors.NotFound:
        mesh.forget()
        raise
    children = tuple(child for listed in found for child in listed if owns(owner, child))
    deployments = [child for child in children if child["kind"] == kinds.DEPLOYMENT.name]
    events, replica_sets = await asyncio.gather(
        _events(client, deployments, pods, now), _replica_sets(client, deployments, pods, now)
    )
    return seen.of(owner, children, pods, events, replica_sets, mesh=with_mesh)


def owns(owner: ObjectMeta, child: Body) -> bool:
    """Tell whether the ModelDeployment is the child's controller."""
    references = child["metadata"].get("ownerReferences") or []
    return any(reference.get("controller") and reference["uid"] == owner.uid for reference in references)


async def _events(client: Client, deployments: Sequence[Body], pods: Sequence[Body], now: datetime) -> list[Body]:
    """Read the Events about one pod of each revision whose pods have waited for a while without a word."""
    each = (obstacle.silent(seen.belonging(pods, deployment["metadata"]["name"]), now) for deployment in deployments)
    silent = [pod["metadata"] for pod in each if pod is not None]
    listed = await asyncio.gather(
        *(client.list(kinds.EVENT, pod["namespace"], fields=f"regarding.uid={pod['uid']}") for pod in silent)
    )
    return [event for events in listed for event in events]


async def _replica_sets(
    client: Client, deployments: Sequence[Body], pods: Sequence[Body], now: datetime
) -> list[Body]:
    """Read the ReplicaSets of each Deployment that has lacked pods for a while and does not say why."""
    lacking = [
        deployment["metadata"]
        for deployment in deployments
        if refusal.unexplained(deployment, seen.belonging(pods, deployment["metadata"]["name"]), now)
    ]
    listed = await asyncio.gather(
        *(
            client.list(kinds.REPLICA_SET, each["namespace"], f"{names.LABEL_REVISION}={each['name']}")
            for each in lacking
        )
    )
    return [replica_set for replica_sets in listed for replica_set in replica_sets]
