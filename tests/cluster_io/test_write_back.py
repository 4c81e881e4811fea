"""What MLflow's own tracking server says after it was told of releases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from mlflow.tracking import MlflowClient

from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import NOTHING_TOLD, Alias, Entry, Tag, Told
from ferryman.registry.answers import Registry
from ferryman.registry.scribe import FIRST_WAIT, Scribe
from ferryman.settings import Settings

PATIENCE = 20.0
KEY = "ferryman.ml.fraud"
PROMOTED = Tag("fraud", "2", KEY, "Promoted 2026-01-01T00:00:00Z as fraud-7f3c2a1b")


class Pen:
    """A scribe, and everything that it let us hear."""

    def __init__(self, url: str, guard: Callable[[], None] | None = None) -> None:
        self.woken = asyncio.Event()
        self.moved: list[str] = []
        self.ahead = 0.0
        self.scribe: Scribe[str] = Scribe(
            Settings(tracking_uri=url),
            lambda: time.monotonic() + self.ahead,
            guard,
            moved=self.moved.append,
            wake=lambda _: self.woken.set(),
        )

    async def tell(self, *entries: Entry) -> Told:
        """Tell entries as a look does, and return what the next one comes to know."""
        self.woken.clear()
        self.scribe.tell("ml/fraud", entries, NOTHING_TOLD)
        async with asyncio.timeout(PATIENCE):
            await self.woken.wait()
        return self.scribe.told("ml/fraud")


@pytest.fixture
def url(tracking: MlflowClient) -> str:
    return str(tracking.tracking_uri)


async def test_a_tag_and_an_alias_stand_in_the_registry(tracking: MlflowClient, url: str) -> None:
    pen, alias = Pen(url), Alias("fraud", "in-production", "2")

    told = await pen.tell(PROMOTED, alias)

    assert told == Told(frozenset({PROMOTED.said, alias.said}))
    assert tracking.get_model_version("fraud", "2").tags == {KEY: PROMOTED.value}
    assert str(tracking.get_model_version_by_alias("fraud", "in-production").version) == "2"
    assert pen.moved == ["fraud"], "who follows an alias of this model looks again"
    assert [str(found.version) for found in tracking.search_model_versions(f"tag.`{KEY}` LIKE 'Promoted%'")] == ["2"]


async def test_an_alias_is_given_back_only_by_the_version_that_was_rolled_back(
    tracking: MlflowClient, url: str
) -> None:
    registry, pen = Registry(Settings(tracking_uri=url), time.monotonic), Pen(url)
    restored = Alias("fraud", "champion", "1", instead_of="2")
    tracking.set_registered_model_alias("fraud", "champion", "2")

    await pen.tell(restored)
    first = await registry.resolve("models:/fraud@champion")
    later = tracking.create_model_version("fraud", source="s3://models/3")
    tracking.set_registered_model_alias("fraud", "champion", later.version)
    await Pen(url).tell(restored)

    registry.close()
    assert isinstance(first, ResolvedModel)
    assert first.uri == "models:/fraud/1"
    assert tracking.get_model_version_by_alias("fraud", "champion").version == later.version


async def test_a_version_that_is_gone_is_said_and_tried_less_and_less_often(url: str) -> None:
    pen, gone = Pen(url), Tag("fraud", "99", KEY, "Promoted")

    told = await pen.tell(gone)

    assert told.done == frozenset()
    assert told.failure is not None
    assert told.failure.reason is Reason.VERSION_NOT_FOUND
    assert "models:/fraud/99" in told.failure.message
    waits = []
    for _ in range(3):
        left = pen.scribe.tell("ml/fraud", (gone,), told)
        assert left is not None
        waits.append(left)
        pen.ahead += left
        await pen.tell(gone)
    assert waits == pytest.approx([FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT], abs=1)


async def test_a_version_that_was_deleted_keeps_nothing_from_being_told_of_the_others(
    tracking: MlflowClient, url: str
) -> None:
    replaced = Tag("fraud", "98", KEY, "Replaced 2026-01-01T00:00:00Z for fraud-7f3c2a1b", parting=True)

    told = await Pen(url).tell(replaced, PROMOTED)

    assert told == Told(frozenset({replaced.said, PROMOTED.said})), "and nobody asks for ever"
    assert tracking.get_model_version("fraud", "2").tags[KEY] == PROMOTED.value


async def test_a_version_that_serves_and_was_deleted_is_said_and_the_alias_is_set_all_the_same(
    tracking: MlflowClient, url: str
) -> None:
    gone, alias = Tag("fraud", "99", KEY, "Promoted"), Alias("fraud", "in-production", "2")

    told = await Pen(url).tell(gone, alias)

    assert told.done == {alias.said}
    assert told.failure is not None
    assert told.failure.reason is Reason.VERSION_NOT_FOUND
    assert str(tracking.get_model_version_by_alias("fraud", "in-production").version) == "2"


async def test_who_lost_the_lease_tells_nothing(tracking: MlflowClient, url: str) -> None:
    def lost() -> None:
        raise RuntimeError("the Lease is lost")

    told = await Pen(url, guard=lost).tell(Tag("fraud", "1", "ferryman.ml.other", "Promoted"))

    assert told.failure is not None
    assert "the Lease is lost" in told.failure.message
    assert "ferryman.ml.other" not in tracking.get_model_version("fraud", "1").tags


async def test_what_is_under_way_is_waited_for_before_what_follows_it(url: str) -> None:
    pen = Pen(url)
    assert pen.scribe.tell("ml/fraud", (PROMOTED,), NOTHING_TOLD) is None
    assert pen.scribe.tell("ml/fraud", (Alias("fraud", "in-production", "1"),), NOTHING_TOLD) is None

    async with asyncio.timeout(PATIENCE):
        await pen.woken.wait()

    assert pen.scribe.told("ml/fraud").done == {PROMOTED.said}, "the look that it wakes tells the rest"
    assert pen.moved == []
