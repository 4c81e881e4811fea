"""The tracking servers that an installation knows: its own, and those that a spec may name beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ferryman.api import reference
from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelSource
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import client
from ferryman.registry.answers import Answer, Registry
from ferryman.settings import Settings


class Registries:
    """Each tracking server with a memory, threads and a patience of its own: one that is silent slows no other."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        client.introduce(settings)
        self._own = Registry(settings, clock)
        self._others = {
            server: Registry(settings.model_copy(update={"tracking_uri": server, "registries": ()}), clock)
            for server in settings.registries
            if server != settings.tracking_uri
        }
        self._own_server = settings.tracking_uri

    async def resolve(self, model: ModelSource, pinned: Iterable[ResolvedModel] = ()) -> Answer:
        """Return the model that a spec means now, or why nobody can say; `pinned` is what a status knows."""
        server = self.named(model)
        known = (each.model_copy(update={"registry": None}) for each in pinned if each.registry == server)
        if server is None or reference.registry_reference(model.uri) is None:
            return await self._own.resolve(model.uri, known)
        other = self._others.get(server)
        if other is None:
            return Unresolved(
                Reason.REGISTRY_NOT_CONFIGURED,
                f"{server} is not a tracking server that this installation knows; add it to mlflow.registries in the "
                "chart's values, or correct spec.model.registry.trackingURI",
            )
        found = await other.resolve(model.uri, known)
        return found.model_copy(update={"registry": server}) if isinstance(found, ResolvedModel) else found

    def named(self, model: ModelSource) -> str | None:
        """Return the tracking server that a spec names, unless it is the installation's own."""
        server = model.registry.tracking_uri
        return server if server != self._own_server else None

    def at(self, server: str | None) -> Registry:
        """Return the registry at a server: the installation's own for one that it does not know."""
        return self._others.get(server or "", self._own)

    def each(self) -> Iterator[tuple[str | None, Registry]]:
        """Return every registry, by the server that a spec has to name for it."""
        yield None, self._own
        yield from self._others.items()

    def forget(self, model: str) -> None:
        """Ask again for a registered model, wherever it is registered."""
        for _, registry in self.each():
            registry.forget(model)

    def close(self) -> None:
        """Let the threads go."""
        for _, registry in self.each():
            registry.close()
