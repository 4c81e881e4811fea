"""The plan's objects and numbers of pods become the cluster's, in order; what already stands is not written again."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import drift, errors, kinds, kinship
from ferryman.cluster.client import Client
from ferryman.cluster.kinds import Kind
from ferryman.cluster.kinship import Kinship
from ferryman.observed import Observed
from ferryman.outcome import Scale
from ferryman.render import names

Body = dict[str, Any]

NEVER = "1"
"""No object has the store's first version: an apply onto it makes the object, or meets one and conflicts."""


async def apply(
    client: Client,
    owner: ObjectMeta,
    observed: Observed,
    *,
    objects: tuple[Body, ...],
    scales: tuple[Scale, ...],
    removals: tuple[Body, ...],
    confirm: Callable[[], Awaitable[object]],
) -> int:
    """Write the objects that differ from what was observed, scale, then remove; return how many writes that took.

    Before the first of them, whatever there is to do is confirmed to follow from a record that still stands.

    An object that the apiserver refuses holds up no other, except the routes, which may lead to it, and whatever is
    taken away, which may be needed for longer. The first refusal is raised at the end.
    """
    live = {(child["kind"], child["metadata"]["name"]): child for child in observed.children}
    pending = [(rendered, child) for rendered in objects if _differs(rendered, child := live.get(_key(rendered)))]
    sizes = [scale for scale in scales if _to_scale(scale, live.get((kinds.DEPLOYMENT.name, scale.deployment)))]
    surplus = [child for child in removals if not _is_going(child)]
    if pending or sizes or surplus:
        await confirm()
    writes = 0
    refused: errors.Refused | None = None
    for rendered, child in pending:
        if refused is not None and _routes(rendered):
            continue
        try:
            await _write(client, owner, rendered, child)
            writes += 1
        except errors.Refused as error:
            refused = refused or error
    for scale in sizes:
        if refused is None or scale.seen is None:
            await client.scale(kinds.DEPLOYMENT, owner.namespace, scale.deployment, scale.replicas, scale.seen)
            writes += 1
    if refused is not None:
        raise refused
    for child in surplus:
        await _remove(client, child)
        writes += 1
    return writes


def _key(rendered: Body) -> tuple[str, str]:
    return rendered["kind"], rendered["metadata"]["name"]


def _differs(rendered: Body, child: Body | None) -> bool:
    return child is None or not (_is_going(child) or drift.stands(rendered, child))


def _to_scale(scale: Scale, child: Body | None) -> bool:
    return child is not None and not _is_going(child) and child["spec"].get("replicas", 1) != scale.replicas


def _routes(rendered: Body) -> bool:
    """Tell whether an object leads traffic to revisions, and belongs to none of them."""
    return names.LABEL_REVISION not in rendered["metadata"].get("labels", {})


def _is_going(child: Body) -> bool:
    """Somebody deleted the child; once it is gone, the watch brings us back to make it anew."""
    return child["metadata"].get("deletionTimestamp") is not None


async def _write(client: Client, owner: ObjectMeta, rendered: Body, child: Body | None) -> None:
    """Write an object as it is to be, onto the very version that was seen; raise if it is not ours."""
    kind, name = kinds.of(rendered), rendered["metadata"]["name"]
    if child is None:
        child = await _met(client, owner, kind, name)
    written = await client.apply(kind, _marked(rendered, child))
    surplus = drift.surplus(rendered, written)
    if surplus:
        version = {"metadata": {"resourceVersion": written["metadata"]["resourceVersion"]}}
        await client.merge(kind, owner.namespace, name, {**version, **surplus})


async def _met(client: Client, owner: ObjectMeta, kind: Kind, name: str) -> Body | None:
    """Return the object of this name that was not seen among the children; raise if it is not ours."""
    try:
        standing = await client.get(kind, owner.namespace, name)
    except errors.NotFound:
        return None
    whose, where = kinship.of(owner, standing), ("apply", kind.name, owner.namespace, name)
    if whose is Kinship.FORMER:
        raise errors.Former(*where, "it belongs to an earlier ModelDeployment of this name, and is not collected yet")
    if whose is Kinship.FOREIGN:
        raise errors.NameConflict(
            *where,
            f"it exists and does not belong to ModelDeployment {owner.name}; delete or rename it, or give the "
            "ModelDeployment another name",
        )
    return standing


def _marked(rendered: Body, standing: Body | None) -> Body:
    """Add our marks, and the version that is written onto.

    A write that was held up on its way (by a proxy, by an operator that was thought dead) and arrives after a later
    one conflicts, and so does one onto an object that was deleted, or made, meanwhile.
    """
    metadata = rendered["metadata"]
    marked = {**metadata, "annotations": {**metadata.get("annotations", {}), **drift.marks(rendered)}}
    if standing is None:
        marked["resourceVersion"] = NEVER
    else:
        marked["uid"] = standing["metadata"]["uid"]
        marked["resourceVersion"] = standing["metadata"]["resourceVersion"]
    return {**rendered, "metadata": marked}


async def _remove(client: Client, child: Body) -> None:
    """Delete a child that nobody has changed since it was seen."""
    metadata = child["metadata"]
    with contextlib.suppress(errors.NotFound):
        await client.delete(
            kinds.of(child),
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            seen=metadata["resourceVersion"],
        )
