"""The status is written whole, and only onto the very object that it was decided on."""

from __future__ import annotations

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import kinds
from ferryman.cluster.client import Client


async def write(client: Client, meta: ObjectMeta, status: ModelDeploymentStatus) -> ObjectMeta:
    """Write the status; return the object as it is then known.

    Raises Conflict if the object has moved on since it was read, NotFound if it is gone. One that says nothing new
    changes nothing, and raises just so.
    """
    kind = kinds.MODEL_DEPLOYMENT
    # On the status subresource the apiserver takes nothing but the status from this body.
    answer = await client.replace_status(
        kind,
        {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "metadata": {
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "status": status.to_api(),
        },
    )
    return ObjectMeta.model_validate(answer["metadata"])
