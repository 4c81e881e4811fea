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
from ferryman.api.revision import ResolvedModel
from ferryman.cluster.queue import Key
from ferryman.followers import Followers
from ferryman.poll import Poll
from ferryman.registry import questions
from ferryman.registry.answers import Registry
from ferryman.registry.line import Line
from ferryman.registry.questions import Page
from ferryman.settings import Settings

HOUR = 3600.0
SETTINGS = Settings(tracking_uri="http://mlflow", registry_poll_seconds=30)


class Asked(Registry):
    """A registry that remembers when it was asked, and where its aliases point."""

    def __init__(self, *, lists: bool = True, latency: float = 0.0) -> None:
        super().__init__(SETTINGS, asyncio.get_running_loop().time)
        self.close()
        self.line = self.lists = cast(Line, self)
        self.does_list = lists
        self.latency = latency
        self.requests: list[float] = []
        self.asked: list[str] = []
        self.points: dict[str, str] = {}
        self.named: list[str] = []
        self.broken: set[str] = set()

    async def ask(self, question: Callable[..., Any], _: str, *about: Any) -> Any:
        """Answer as MLflow does."""
        self.requests.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.latency)
        if question is questions.aliases:
            return self._listed(*about)
        uri, _ = about
        self.asked.append(uri)
        if uri in self.broken:
            raise RuntimeError("nobody thought of this")
        return model(uri, self.points.get(uri, "1"))

    def silence(self) -> None:
        """Be there, always."""

    def ails(self) -> bool:
        return False

    def busiest(self, seconds: float = 10) -> int:
        """Return how many questions came in the busiest of all times of such a length."""
        return max(bisect_left(self.requests, at + seconds) - n for n, at in enumerate(self.requests))

    def _listed(self, token: str | None, size: int) -> tuple[Page, str | None]:
        if not self.does_list:
            return {}, None
        begin = int(token or 0)
        page = [(registry_reference(uri), uri) for uri in self.named[begin : begin + size]]
        more = begin + size < len(self.named)
        listed: Page = {name: (self.points.get(uri, "1"), None) for name, uri in page if name is not None}
        return listed, str(begin + size) if more else None


def model(uri: str, version: str) -> ResolvedModel:
    return ResolvedModel(uri=f"{uri} {version}", requested=uri, version=version)


def uri(number: int) -> str:
    return f"models:/model-{number}@champion"


def version(number: int) -> str:
    return f"models:/model-{number}/1"


def either(number: int) -> str:
    return uri(number) if number % 2 else version(number)


def polled(
    count: int,
    seconds: float,
    then: Callable[[Asked], Any] = lambda _: None,
    named: Callable[[int], str] = uri,
    **kind: Any,
) -> tuple[Asked, dict[str, float]]:
    """Poll what names so many models for so long; return when each move was told since `then` was called."""

    async def day() -> tuple[Asked, dict[str, float]]:
        registry = Asked(**kind)
        followers, told, loop = Followers(), dict[str, float](), asyncio.get_running_loop()
        registry.named = [named(number) for number in range(count)]
        for number, name in enumerate(registry.named):
            followers.follows(Key("ml", f"m{number}"), name)
            registry._remembered(name, [model(name, "1")])
        poll = Poll(SETTINGS, registry, followers.named, lambda moved: told.update({moved: loop.time()}))
        running = asyncio.create_task(poll.run())
        await asyncio.sleep(HOUR)
        then(registry)
        told.clear()
        await asyncio.sleep(seconds)
        running.cancel()
        return registry, {moved: when - HOUR for moved, when in told.items()}

    return virtual_time.run(day())


def moved(number: int) -> Callable[[Asked], Any]:
    return lambda registry: registry.points.update({uri(number): "2"})


@pytest.mark.parametrize("latency", [0.0, 0.2])
@pytest.mark.parametrize("count", [1, 10, 43, 44, 54, 1000, 5000])
def test_a_move_is_noticed_in_time_at_two_questions_a_second_at_most(count: int, latency: float) -> None:
    registry, told = polled(count, 60, moved(count // 2), latency=latency)

    assert list(told) == [uri(count // 2)]
    assert told[uri(count // 2)] < (35 if count <= 1000 else 65)
    assert registry.busiest() <= 2 * 10


def test_a_registry_that_does_not_list_its_aliases_is_asked_no_more_often() -> None:
    registry, told = polled(1000, 1100, moved(7), lists=False)

    assert list(told) == [uri(7)]
    assert registry.busiest() <= 2 * 10


def test_who_follows_nothing_that_moves_asks_nothing() -> None:
    registry, _ = polled(0, 60)

    assert registry.requests == []


def test_a_question_that_goes_wrong_in_a_way_nobody_thought_of_is_said_once_and_keeps_no_move_from_being_noticed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def break_one(registry: Asked) -> None:
        registry.broken.add(uri(0))
        moved(1)(registry)

    _, told = polled(3, 250, break_one)

    assert list(told) == [uri(1)]
    assert [record.message for record in caplog.records] == [f"{uri(0)} could not be asked for; it is tried again"]


@pytest.mark.parametrize("named", [version, either])
@pytest.mark.parametrize("count", [1, 10, 60, 1000, 3000])
def test_versions_are_asked_for_in_turn_at_two_questions_a_second_at_most(
    count: int, named: Callable[[int], str]
) -> None:
    gone = named(0)

    registry, told = polled(count, HOUR, lambda registry: registry.points.update({gone: "none"}), named)

    assert list(told) == [gone]
    assert told[gone] < max(20 * 30, count) + 60
    assert registry.busiest() <= 2 * 10
    assert {uri for uri in registry.asked if not reference.moves(uri)} == {
        named(number) for number in range(count) if not reference.moves(named(number))
    }


async def test_mlflow_lists_its_aliases_and_a_move_is_told_once(tracking: MlflowClient) -> None:
    for name in ("listed", "alone"):
        tracking.create_registered_model(name)
        for number in ("1", "2"):
            tracking.create_model_version(name, source=f"s3://models/{name}/{number}")
    tracking.set_registered_model_alias("listed", "champion", "1")
    registry, told = Registry(Settings(tracking_uri=tracking.tracking_uri), time.monotonic), list[str]()
    registry.changed = told.append
    followed, champion = "models:/listed@champion", RegistryReference(name="listed", alias="champion")
    await registry.resolve(followed)
    version, whole = (await registry.aliases(None))[0][champion]
    assert version == "1"
    assert whole is None, "the page has the latest version alone"
    await registry.ask_again(followed)
    assert told == []

    tracking.set_registered_model_alias("listed", "champion", "2")

    asked_at = time.monotonic()
    version, whole = (await registry.aliases(None))[0][champion]
    assert not registry.listed(followed, version, None, asked_at)
    assert registry.listed(followed, version, whole, asked_at)
    assert told == [followed]
    listed = await registry.resolve(followed)
    await registry.ask_again(followed)
    assert await registry.resolve(followed) == listed, "a page says the same of a version as MLflow itself"
    assert told == [followed]
    registry.close()
