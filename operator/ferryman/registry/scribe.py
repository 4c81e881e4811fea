"""Tells MLflow what became of a version: beside the looks, so that a registry that is slow holds none of them up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ferryman.api.conditions import Reason
from ferryman.outcome import NOTHING_TOLD, Alias, Entry, Tag, Told, Unresolved
from ferryman.registry import client, questions
from ferryman.registry.secrecy import redacted
from ferryman.registry.several import Registries
from ferryman.settings import Settings

FIRST_WAIT, LAST_WAIT = 4.0, 60.0
"""Seconds between attempts at what failed; each twice as long as the one before."""
MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"})

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Page:
    """What is known of one who has something to tell."""

    told: Told = NOTHING_TOLD
    task: asyncio.Task[None] | None = None
    wait: float = 0.0
    again_at: float = 0.0


class Scribe(Generic[Key]):
    """Tells each ModelDeployment's entries, one after another."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        guard: Callable[[], None] | None,
        *,
        moved: Callable[[str], None],
        wake: Callable[[Key], None],
        registries: Registries | None = None,
    ) -> None:
        """`guard` raises where this operator may not write, `moved` hears of a model whose alias was set."""
        self._settings = settings
        self._clock = clock
        self._guard = guard
        self._moved = moved
        self._wake = wake
        self._registries = registries or Registries(settings, clock)
        self._pages: dict[Key, _Page] = {}

    def told(self, key: Key) -> Told:
        """Return what was told of late, and what failed."""
        page = self._pages.get(key)
        return page.told if page is not None else NOTHING_TOLD

    def tell(self, key: Key, entries: tuple[Entry, ...], known: Told) -> float | None:
        """Begin to tell what is left to be told; return in how many seconds to try again what has failed.

        What is `known` stands in the object's status by now, and may be told again should it be wanted again.
        """
        if not entries:
            self.forget(key)
            return None
        page = self._pages.setdefault(key, _Page())
        page.told = Told(page.told.done - known.done, page.told.failure)
        if page.task is not None:
            return None
        if self._clock() >= page.again_at:
            page.task = asyncio.create_task(self._write(key, page, entries), name=f"write back {key}")
            return None
        return page.again_at - self._clock()

    def forget(self, key: Key) -> None:
        """Forget one who has nothing to tell any more."""
        page = self._pages.get(key)
        if page is not None and page.task is None:  # else what is under way could arrive after what follows it
            del self._pages[key]

    def close(self) -> None:
        """Tell no more; what is under way is not waited for."""
        for page in self._pages.values():
            if page.task is not None:
                page.task.cancel()
        self._registries.close()

    async def _write(self, key: Key, page: _Page, entries: tuple[Entry, ...]) -> None:
        failure: Unresolved | None = None
        try:
            for entry in entries:
                refused = await self._told(entry)
                gone = refused is not None and refused.reason is Reason.VERSION_NOT_FOUND
                if refused is not None and not (gone and isinstance(entry, Tag) and entry.parting):
                    failure = failure or refused
                    if gone:  # the others are there to be told all the same
                        continue
                    break
                page.told = Told(page.told.done | {entry.said})
                if isinstance(entry, Alias):
                    self._moved(entry.model)
        finally:
            page.task = None
        page.wait = min(page.wait * 2 or FIRST_WAIT, LAST_WAIT) if failure is not None else 0.0
        page.again_at = self._clock() + page.wait
        page.told = Told(page.told.done, failure)
        self._wake(key)

    async def _told(self, entry: Entry) -> Unresolved | None:
        """Tell one entry; return what kept it from being told."""
        registry = self._registries.at(entry.registry)
        registry.turns.owe(2 if isinstance(entry, Alias) and entry.instead_of is not None else 1)
        server = entry.registry or self._settings.tracking_uri
        return await registry.writes.tell(_write, server, entry, self._guard)


def _write(tracking: str, entry: Entry, guard: Callable[[], None] | None) -> Unresolved | None:
    """Write one entry, from a thread; return what was in the way."""
    try:
        mlflow, failure = client.connected(tracking)
    except Exception as error:  # noqa: BLE001 what an unusable address can raise has no end
        return questions.away(tracking, f"{type(error).__name__}: {error}")
    try:
        if isinstance(entry, Alias) and entry.instead_of is not None:
            stands = mlflow.get_model_version_by_alias(entry.model, entry.alias)
            if str(stands.version) != entry.instead_of:
                return None  # somebody moved it meanwhile, and knows better
        if guard is not None:
            guard()
        if isinstance(entry, Alias):
            mlflow.set_registered_model_alias(entry.model, entry.alias, entry.version)
        else:
            mlflow.set_model_version_tag(entry.model, entry.version, entry.key, entry.value)
    except failure as error:
        return _failed(tracking, entry, getattr(error, "error_code", ""), str(error))
    except Exception as error:  # noqa: BLE001 what a broken registry can raise has no end
        return questions.away(tracking, f"{type(error).__name__}: {error}")
    return None


def _failed(tracking: str, entry: Entry, code: str, detail: str) -> Unresolved:
    said = " ".join(redacted(detail).split())[:300]
    if code in questions.REFUSED:
        message = (
            f"MLflow at {tracking} refuses to be told {entry.said} ({said}); give the operator's account the right"
        )
        return Unresolved(Reason.REGISTRY_REFUSED, message)
    if code in MISSING:
        message = f"MLflow at {tracking} cannot be told {entry.said}: it has no such version or alias any more"
        return Unresolved(Reason.VERSION_NOT_FOUND, message)
    return questions.away(tracking, said)
