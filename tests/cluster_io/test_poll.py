"""Aliases are asked for often enough to notice a move, and seldom enough for the registry not to."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, cast

import pytest
from mlflow.tracking import MlflowClient

from cluster_io import virtual_time
from ferryman.api import reference
from ferryman.api.reference import RegistryReference, registry_reference
from ferryman.cluster.queue import Key
from ferryman.followers import Followers
from ferryman.poll import Poll
from ferryman.registry.answers import Registry
from ferryman.registry.questions import PAGE
from ferryman.settings import Settings

HOUR = 3600.0
SETTINGS = Settings(tracking_uri="http://mlflow", registry_poll_seconds=30)


class Asked:
    """A registry that remembers when it was asked, and where its aliases point."""

    def __init__(self, *, lists: bool = True) -> None:
        self.lists = lists
        self.requests: list[float] = []
        self.asked: list[str] = []
        self.points: dict[str, str] = {}
        self.known: dict[str, str] = {}

    async def ask_again(self, uri: str) -> bool:
        self._note()
        self.asked.append(uri)
        moved = self.known.get(uri) != self.points.get(uri, "1")
        self.known[uri] = self.points.get(uri, "1")
        return moved

    async def aliases(self, token: str | None) -> tuple[dict[RegistryReference, str], str | None]:
        self._note()
        if not self.lists:
            return {}, None
        begin = int(token or 0)
        page = list(self.known)[begin : begin + PAGE]
        named = {registry_reference(uri): self.points.get(uri, "1") for uri in page}
        more = begin + PAGE < len(self.known)
        return {name: version for name, version in named.items() if name}, str(begin + PAGE) if more else None

    def stands(self, uri: str, version: str) -> bool:
        return self.known.get(uri) == version

    def busiest(self, seconds: float = 10) -> int:
        """Return how many questions came in the busiest of all times of such a length."""
        return max(bisect_left(self.requests, at + seconds) - n for n, at in enumerate(self.requests))

    def _note(self) -> None:
        self.requests.append(asyncio.get_running_loop().time())


def uri(number: int) -> str:
    return f"models:/model-{number}@champion"


def version(number: int) -> str:
    return f"models:/model-{number}/1"


def either(number: int) -> str:
    return uri(number) if number % 2 else version(number)


def polled(
    registry: Asked,
    count: int,
    seconds: float,
    then: Callable[[], Any] = lambda: None,
    named: Callable[[int], str] = uri,
) -> dict[str, float]:
    """Poll what names so many models for so long; return when each move was told since `then` was called."""

    async def day() -> dict[str, float]:
        followers, told, loop = Followers(), dict[str, float](), asyncio.get_running_loop()
        for number in range(count):
            followers.follows(Key("ml", f"m{number}"), named(number))
            registry.known[named(number)] = "1"
        asked = cast(Registry, registry)
        poll = Poll(SETTINGS, asked, followers.named, lambda moved: told.update({moved: loop.time()}))
        running = asyncio.create_task(poll.run())
        await asyncio.sleep(HOUR)
        then()
        told.clear()
        await asyncio.sleep(seconds)
        running.cancel()
        return {moved: when - HOUR for moved, when in told.items()}

    return virtual_time.run(day())


@pytest.mark.parametrize("count", [1, 10, 54, 55, 1000, 5000])
def test_a_move_is_noticed_in_time_at_two_questions_a_second_at_most(count: int) -> None:
    registry = Asked()

    told = polled(registry, count, 60, lambda: registry.points.update({uri(count // 2): "2"}))

    assert list(told) == [uri(count // 2)]
    assert told[uri(count // 2)] < 31
    assert len(registry.requests) <= 2 * (HOUR + 60) + 1
    assert registry.busiest() <= 2 * 10 + 1


def test_a_registry_that_does_not_list_its_aliases_is_asked_no_more_often() -> None:
    registry = Asked(lists=False)

    told = polled(registry, 1000, 1100, lambda: registry.points.update({uri(7): "2"}))

    assert list(told) == [uri(7)]
    assert len(registry.requests) <= 2 * (HOUR + 1100) + 100


def test_who_follows_nothing_that_moves_asks_nothing() -> None:
    registry = Asked()
    polled(registry, 0, 60)

    assert registry.requests == []


@pytest.mark.parametrize("named", [version, either])
@pytest.mark.parametrize("count", [1, 10, 60, 1000, 3000])
def test_versions_are_asked_for_in_turn_at_two_questions_a_second_at_most(
    count: int, named: Callable[[int], str]
) -> None:
    registry, gone = Asked(), named(0)

    told = polled(registry, count, HOUR, lambda: registry.points.update({gone: "none"}), named)

    assert list(told) == [gone]
    assert told[gone] < max(20 * 30, count) + 60
    assert registry.busiest() <= 2 * 10 + 1
    assert {uri for uri in registry.asked if not reference.moves(uri)} == {
        named(number) for number in range(count) if not reference.moves(named(number))
    }


async def test_mlflow_lists_its_aliases_and_a_move_is_told_once(tracking: MlflowClient) -> None:
    for name in ("listed", "alone"):
        tracking.create_registered_model(name)
        for number in ("1", "2"):
            tracking.create_model_version(name, source=f"s3://models/{name}/{number}")
    tracking.set_registered_model_alias("listed", "champion", "1")
    registry = Registry(Settings(tracking_uri=tracking.tracking_uri), time.monotonic)
    followed = "models:/listed@champion"
    await registry.resolve(followed)
    champion = RegistryReference(name="listed", alias="champion")
    assert (await registry.aliases(None))[0][champion] == "1"
    assert registry.stands(followed, "1")
    assert not await registry.ask_again(followed)

    tracking.set_registered_model_alias("listed", "champion", "2")

    assert (await registry.aliases(None))[0][champion] == "2"
    assert not registry.stands(followed, "2")
    assert await registry.ask_again(followed)
    assert not await registry.ask_again(followed)
    registry.close()
