"""One look at everything that a ModelDeployment owns.

Only what `kinship` finds to be this very ModelDeployment's counts as a child; one that merely carries the name or the
label is left alone. Pods are owned by ReplicaSets, so they are known by their labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import errors, kinds, kinship, obstacle, refusal, seen
from ferryman.cluster.client import Client
from ferryman.cluster.kinds import Kind
from ferryman.cluster.kinship import Kinship
from ferryman.cluster.mesh import Mesh
from ferryman.observed import Observed
from ferryman.render import names

Body = dict[str, Any]


async def observe(
    client: Client, mesh: Mesh, owner: ObjectMeta, now: datetime, serving: Collection[str] = ()
) -> Observed:
    """Look at the children and pods of one ModelDeployment, and further where those leave a question open.

    The children of the revisions that serve are looked for by name, too: somebody may have taken their labels.
    """
    with_mesh = await mesh.served()
    looked_at = (*kinds.CHILDREN, *(kinds.MESH_CHILDREN if with_mesh else ()), kinds.POD)
    selector = f"{names.LABEL_DEPLOYMENT}={owner.name}"
    try:
        *found, pods = await asyncio.gather(*(client.list(kind, owner.namespace, selector) for kind in looked_at))
    except errors.NotFound:
        mesh.forget()
        raise
    listed = [child for each in found for child in each]
    if not with_mesh and any(_for_a_route(owner, child) for child in listed):
        mesh.doubt()
    named = await _by_name(client, owner, _expected(owner, serving, mesh=with_mesh) - _names(listed))
    children = await _own(client, owner, [*listed, *named])
    deployments = [child for child in children if child["kind"] == kinds.DEPLOYMENT.name]
    events, replica_sets = await asyncio.gather(
        _events(client, deployments, pods, now), _replica_sets(client, deployments, pods, now)
    )
    return seen.of(owner, children, pods, events, replica_sets, mesh=with_mesh)


def _expected(owner: ObjectMeta, serving: Collection[str], *, mesh: bool) -> set[tuple[Kind, str]]:
    """Return the children from which one tells what serves."""
    addresses = {address for revision in serving for address in (revision, names.canary(revision))}
    expected = {(kinds.DEPLOYMENT, revision) for revision in serving}
    if not mesh:
        return expected | {(kinds.SERVICE, name) for name in (*serving, owner.name) if serving}
    expected |= {(kind, address) for kind in (kinds.SERVICE, kinds.DESTINATION_RULE) for address in addresses}
    return expected | {(kind, owner.name) for kind in (kinds.SERVICE, kinds.VIRTUAL_SERVICE) if serving}


def _for_a_route(owner: ObjectMeta, child: Body) -> bool:
    """Tell whether a child is one that there is no use for without Istio."""
    name = str(child["metadata"]["name"])
    return name.endswith(names.CANARY_SUFFIX) and names.revision_of_child(owner.name, name) is not None


def _names(children: Sequence[Body]) -> set[tuple[Kind, str]]:
    return {(kinds.of(child), child["metadata"]["name"]) for child in children}


async def _by_name(client: Client, owner: ObjectMeta, wanted: set[tuple[Kind, str]]) -> list[Body]:
    """Read those of the objects that exist."""

    async def read(kind: Kind, name: str) -> list[Body]:
        try:
            return [await client.get(kind, owner.namespace, name)]
        except errors.NotFound:
            return []

    return [body for bodies in await asyncio.gather(*(read(*each) for each in wanted)) for body in bodies]


async def _own(client: Client, owner: ObjectMeta, found: Sequence[Body]) -> tuple[Body, ...]:
    """Return the children among what was found; those that were lost are claimed first."""
    own: list[Body] = []
    for body in found:
        kin = kinship.of(owner, body)
        if kin is Kinship.LOST and body["metadata"].get("deletionTimestamp") is None:
            own.append(await kinship.claimed(client, owner, body))
        elif kin in (Kinship.OURS, Kinship.LOST):
            own.append(body)
    return tuple(own)


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
