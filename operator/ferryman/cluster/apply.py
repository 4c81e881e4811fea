"""The plan's objects and numbers of pods become the cluster's, in order; what already stands is not written again."""

from __future__ import annotations

import contextlib
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import drift, errors, kinds
from ferryman.cluster.client import Client
from ferryman.cluster.observe import owns
from ferryman.observed import Observed
from ferryman.outcome import Scale
from ferryman.render import names

Body = dict[str, Any]

_GUARDED = frozenset({kinds.VIRTUAL_SERVICE.name, kinds.SERVICE.name})
"""Kinds that are written only onto the version that was seen.

They say where traffic goes. A write of theirs that was held up on its way (by a proxy, by an operator that was
thought dead) and arrives after a later one would send traffic to where no pods are any more. Other kinds have
statuses that change with every pod, and would be refused again and again for nothing.
"""


async def apply(
    client: Client,
    owner: ObjectMeta,
    observed: Observed,
    *,
    objects: tuple[Body, ...],
    scales: tuple[Scale, ...],
    removals: tuple[Body, ...],
) -> int:
    """Write the objects that differ from what was observed, scale, then remove; return how many writes that took."""
    live = {(child["kind"], child["metadata"]["name"]): child for child in observed.children}
    writes = 0
    for rendered in objects:
        child = live.get((rendered["kind"], rendered["metadata"]["name"]))
        if child is not None and (_is_going(child) or drift.stands(rendered, child)):
            continue
        if child is None:
            await _refuse_foreign(client, owner, rendered)
        await client.apply(kinds.of(rendered), _marked(rendered, child))
        writes += 1
    for scale in scales:
        child = live.get((kinds.DEPLOYMENT.name, scale.deployment))
        if child is None or _is_going(child) or child["spec"].get("replicas", 1) == scale.replicas:
            continue
        await client.scale(kinds.DEPLOYMENT, owner.namespace, scale.deployment, scale.replicas, scale.seen)
        writes += 1
    for child in removals:
        if not _is_going(child):
            await _remove(client, child)
            writes += 1
    return writes


def _is_going(child: Body) -> bool:
    """Somebody deleted the child; once it is gone, the watch brings us back to make it anew."""
    return child["metadata"].get("deletionTimestamp") is not None


async def _refuse_foreign(client: Client, owner: ObjectMeta, rendered: Body) -> None:
    """Raise if an object of this name stands there that is not ours."""
    kind, name = kinds.of(rendered), rendered["metadata"]["name"]
    try:
        standing = await client.get(kind, owner.namespace, name)
    except errors.NotFound:
        return
    if not owns(owner, standing):
        raise errors.NameConflict(
            "apply",
            kind.name,
            owner.namespace,
            name,
            f"it exists and does not belong to ModelDeployment {owner.name}; delete or rename it, or give the "
            "ModelDeployment another name",
        )


def _marked(rendered: Body, child: Body | None) -> Body:
    """Add the digest of what is applied, and, for one that was seen, which one it is."""
    metadata = rendered["metadata"]
    annotations = {**metadata.get("annotations", {}), names.ANNOTATION_APPLIED: drift.digest(rendered)}
    marked = {**metadata, "annotations": annotations}
    if child is not None:
        # If it was deleted and made anew meanwhile, the apiserver answers with a conflict.
        marked["uid"] = child["metadata"]["uid"]
        if rendered["kind"] in _GUARDED:
            marked["resourceVersion"] = child["metadata"]["resourceVersion"]
    return {**rendered, "metadata": marked}


async def _remove(client: Client, child: Body) -> None:
    metadata = child["metadata"]
    with contextlib.suppress(errors.NotFound):
        await client.delete(kinds.of(child), metadata["namespace"], metadata["name"], metadata["uid"])
