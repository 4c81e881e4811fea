"""Which of the kinds that come and go the cluster serves: ours, before its CRD is installed, and Istio's.

kopf looks for kinds at the start and never again.
"""

from __future__ import annotations

import asyncio
import logging

from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client

KINDS_SECONDS = 5.0
ASK_SECONDS = 5.0
AGAIN_SECONDS = 2.0

log = logging.getLogger(__name__)


async def served(client: Client) -> frozenset[str]:
    """Return which of the kinds that may be absent are served; wait for an apiserver that does not answer."""
    wait = 0.5
    while True:
        try:
            own, mesh = kinds.MODEL_DEPLOYMENT, kinds.VIRTUAL_SERVICE
            found = await client.plurals(own.group, own.version) | await client.plurals(mesh.group, mesh.version)
        except errors.ClusterError as error:
            log.warning("cannot ask which kinds are served: %s", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10.0)
        else:
            return found & {kind.plural for kind in (own, *kinds.MESH_CHILDREN)}


async def surely_served(client: Client) -> frozenset[str]:
    """Return which are served; what is missing is asked for twice: an apiserver that has just begun denies it."""
    found = await served(client)
    if found != {kind.plural for kind in (kinds.MODEL_DEPLOYMENT, *kinds.MESH_CHILDREN)}:
        await asyncio.sleep(AGAIN_SECONDS)
        found |= await served(client)
    return found


async def kinds_change(client: Client, before: frozenset[str]) -> None:
    """Wait until other kinds are served than before, by two answers: one alone may be a passing fault."""
    differed = False
    while True:
        await asyncio.sleep(KINDS_SECONDS)
        differs = await served(client) != before
        if differs and differed:
            return
        differed = differs


async def only_a_kind_went(client: Client, before: frozenset[str]) -> bool:
    """Tell whether a watch may have ended because its kind is no longer served."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await served(client) != before
    except TimeoutError:
        return False
