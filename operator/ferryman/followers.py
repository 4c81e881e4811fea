"""Who follows which registered model: whom news of it concerns."""

from __future__ import annotations

from ferryman.api import reference
from ferryman.cluster.queue import Key


class Followers:
    """The ModelDeployments by the registered model that they name; every look tells of one."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._model: dict[Key, str] = {}

    def follows(self, key: Key, uri: str) -> None:
        """Take in what a ModelDeployment names."""
        named = reference.registry_reference(uri)
        if named is not None and named.name:
            self._model[key] = named.name
        else:
            self.gone(key)

    def gone(self, key: Key) -> None:
        """Forget a ModelDeployment."""
        self._model.pop(key, None)

    def of(self, model: str) -> tuple[Key, ...]:
        """Return who follows a registered model."""
        return tuple(key for key, name in self._model.items() if name == model)
