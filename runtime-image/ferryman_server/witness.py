"""Who looks on while a request is answered, where samples or traces are wanted."""

from collections.abc import Mapping
from typing import Protocol

from ferryman_server.dataplane.plane import DataPlane


class Witness(Protocol):
    """Of one request."""

    def plane(self, plane: DataPlane, body: bytes) -> DataPlane:
        """The data plane that it is answered by, seen by the witness; `body` is what came, or a call's message."""

    def ended(self, status: int) -> None:
        """It was answered, with this status or what would be it over HTTP; 499 if its client left."""


class Witnesses(Protocol):
    """Asked for each request."""

    def of(self, protocol: str, path: str, headers: Mapping[bytes, bytes]) -> Witness | None:
        """Who looks on at this one."""


class Both:
    """Two who look on."""

    def __init__(self, one: Witnesses, other: Witnesses) -> None:
        self._each = (one, other)

    def of(self, protocol: str, path: str, headers: Mapping[bytes, bytes]) -> Witness | None:
        """Those who want to."""
        found = [one for each in self._each if (one := each.of(protocol, path, headers))]
        return _Several(found) if len(found) > 1 else next(iter(found), None)


class _Several:
    def __init__(self, witnesses: list[Witness]) -> None:
        self._witnesses = witnesses

    def plane(self, plane: DataPlane, body: bytes) -> DataPlane:
        for one in self._witnesses:
            plane = one.plane(plane, body)
        return plane

    def ended(self, status: int) -> None:
        for one in self._witnesses:
            one.ended(status)
