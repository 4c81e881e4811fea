"""Whether the cluster serves Istio: asked of the apiserver, remembered for a short while."""

from __future__ import annotations

from collections.abc import Callable

from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client

REMEMBER_SECONDS = 30.0

BELIEVE_SECONDS = 30.0
"""How long Istio has to be away until that is believed of a ModelDeployment which may have a route."""


class Mesh:
    """A cluster's answer to whether routes can be written, as new as half a minute."""

    def __init__(self, client: Client, clock: Callable[[], float], *, present: bool = False) -> None:
        """Begin with what was found at the start of the process."""
        self._client = client
        self._clock = clock
        self._answer = present
        self._until: float | None = None
        self._absent_since = clock()

    async def served(self) -> bool:
        """Tell whether the kinds that a route is made of are served."""
        if self._until is None or self._clock() >= self._until:
            wanted = kinds.VIRTUAL_SERVICE
            plurals = await self._client.plurals(wanted.group, wanted.version)
            found = all(kind.plural in plurals for kind in kinds.MESH_CHILDREN)
            if self._answer and not found:
                # An apiserver that has just begun denies custom kinds for a moment; nothing is taken away for that.
                # If they stay away, the process begins anew without them.
                detail = "Istio's kinds were served and are not now; asked again"
                raise errors.Unavailable("discover", wanted.name, "", "", detail)
            await self._heed_another_version(found=found)
            self._answer = found
            self._until = self._clock() + REMEMBER_SECONDS
        return self._answer

    def doubt(self) -> None:
        """Take in that something stands which is only made for a route, though the cluster serves none.

        Whoever took Istio away took the routes with it. But if an apiserver only denies it, they steer traffic on,
        and what they lead to must stay: so nothing is done for a while.
        """
        if self._clock() - self._absent_since < BELIEVE_SECONDS:
            detail = "Istio's kinds are not served, and there may be a route; asked again"
            raise errors.Unavailable("discover", kinds.VIRTUAL_SERVICE.name, "", "", detail)

    async def _heed_another_version(self, *, found: bool) -> None:
        """Refuse to take an Istio of other versions for none: its routes steer traffic, and we cannot see them."""
        wanted = kinds.VIRTUAL_SERVICE
        served = () if found else await self._client.versions(wanted.group)
        if served and wanted.version not in served:
            detail = (
                f"the cluster serves {wanted.group} in {', '.join(served)} and not in {wanted.version},"
                " in which routes are written here; Istio 1.22 or newer does"
            )
            raise errors.Unavailable("discover", wanted.name, "", "", detail)

    def forget(self) -> None:
        """Ask again at the next look: something else showed that the answer is old."""
        self._until = None
