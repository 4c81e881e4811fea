"""Who follows which registered model: whom news of it concerns."""

from __future__ import annotations

from ferryman.api import reference
from ferryman.cluster.queue import Key


class Followers:
    """The ModelDeployments by the registered model that they name; every look tells of one."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._uris: dict[Key, tuple[tuple[str | None, str], ...]] = {}
        """What each names, and the tracking server that it names for it."""

    def follows(self, key: Key, *uris: str, server: str | None = None) -> None:
        """Take in everything that a ModelDeployment names now."""
        self._uris[key] = tuple((server, uri) for uri in uris if reference.registry_reference(uri))

    def gone(self, key: Key) -> None:
        """Forget a ModelDeployment."""
        self._uris.pop(key, None)

    def of(self, model: str) -> tuple[Key, ...]:
        """Return who follows a registered model."""
        return tuple(key for key, named in self._uris.items() if any(reference.names(uri, model) for _, uri in named))

    def at(self, alias: str, server: str | None = None) -> tuple[Key, ...]:
        """Return who names exactly this URI of a server."""
        return tuple(key for key, named in self._uris.items() if (server, alias) in named)

    def named(self, server: str | None = None) -> tuple[str, ...]:
        """Return the URIs that name models of a server, each once."""
        return tuple(dict.fromkeys(uri for each in self._uris.values() for where, uri in each if where == server))
