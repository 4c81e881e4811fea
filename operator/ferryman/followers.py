"""Who follows which registered model: whom news of it concerns."""

from __future__ import annotations

from ferryman.api import reference
from ferryman.cluster.queue import Key


class Followers:
    """The ModelDeployments by the registered model that they name; every look tells of one."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._uri: dict[Key, str] = {}

    def follows(self, key: Key, uri: str) -> None:
        """Take in what a ModelDeployment names."""
        named = reference.registry_reference(uri)
        if named is not None and named.name:
            self._uri[key] = uri
        else:
            self.gone(key)

    def gone(self, key: Key) -> None:
        """Forget a ModelDeployment."""
        self._uri.pop(key, None)

    def of(self, model: str) -> tuple[Key, ...]:
        """Return who follows a registered model."""
        return tuple(key for key, uri in self._uri.items() if reference.names(uri, model))

    def at(self, alias: str) -> tuple[Key, ...]:
        """Return who names exactly this URI."""
        return tuple(key for key, uri in self._uri.items() if uri == alias)

    def aliases(self) -> tuple[str, ...]:
        """Return the URIs that are followed and may mean something else tomorrow, each once."""
        return tuple(uri for uri in dict.fromkeys(self._uri.values()) if reference.moves(uri))
