"""Who follows which registered model: whom news of it concerns."""

from __future__ import annotations

from ferryman.api import reference
from ferryman.cluster.queue import Key


class Followers:
    """The ModelDeployments by the registered model that they name; every look tells of one."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._uri: dict[Key, tuple[str | None, str]] = {}
        """What each names, and the tracking server that it names for it."""

    def follows(self, key: Key, uri: str, server: str | None = None) -> None:
        """Take in what a ModelDeployment names."""
        named = reference.registry_reference(uri)
        if named is not None and named.name:
            self._uri[key] = (server, uri)
        else:
            self.gone(key)

    def gone(self, key: Key) -> None:
        """Forget a ModelDeployment."""
        self._uri.pop(key, None)

    def of(self, model: str) -> tuple[Key, ...]:
        """Return who follows a registered model."""
        return tuple(key for key, (_, uri) in self._uri.items() if reference.names(uri, model))

    def at(self, alias: str, server: str | None = None) -> tuple[Key, ...]:
        """Return who names exactly this URI of a server."""
        return tuple(key for key, named in self._uri.items() if named == (server, alias))

    def aliases(self, server: str | None = None) -> tuple[str, ...]:
        """Return the URIs of a server that are followed and may mean something else tomorrow, each once."""
        named = (uri for where, uri in self._uri.values() if where == server)
        return tuple(uri for uri in dict.fromkeys(named) if reference.moves(uri))
