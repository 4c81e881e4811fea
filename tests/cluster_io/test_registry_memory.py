"""What the operator remembers of a registry's answers and of its silence, so that one question is asked once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from cluster_io.small_mlflow import Mlflow
from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry.answers import Registry
from ferryman.registry.line import REMEMBER_FAILURE_SECONDS
from ferryman.settings import Settings


async def test_news_of_a_model_makes_the_next_question_a_new_one(registry: Registry, mlflow: Mlflow) -> None:
    await registry.resolve("models:/fraud@champion")
    mlflow.champion = "8"
    registry.forget("iris")
    before = await registry.resolve("models:/fraud@champion")

    registry.forget("fraud")

    after = await registry.resolve("models:/fraud@champion")
    assert isinstance(before, ResolvedModel)
    assert isinstance(after, ResolvedModel)
    assert (before.version, after.version) == ("7", "8")


async def test_an_answer_that_was_under_way_when_news_came_is_not_remembered(
    registry: Registry, mlflow: Mlflow
) -> None:
    old = asyncio.create_task(registry.resolve("models:/fraud@champion"))
    await asyncio.sleep(0)  # it is being asked

    registry.forget("fraud")
    await old
    mlflow.champion = "8"

    after = await registry.resolve("models:/fraud@champion")
    assert isinstance(after, ResolvedModel)
    assert after.version == "8"


async def test_an_answer_is_remembered_until_two_polls_have_been_missed(
    registry: Registry, mlflow: Mlflow, clock: list[float]
) -> None:
    await registry.resolve("models:/fraud@champion")
    mlflow.champion = "8"
    clock[0] = 59.0
    before = await registry.resolve("models:/fraud@champion")
    clock[0] = 61.0
    after = await registry.resolve("models:/fraud@champion")

    assert [getattr(answer, "version", None) for answer in (before, after)] == ["7", "8"]
    assert len(mlflow.asked) == 2


async def test_a_failure_is_remembered_for_a_few_seconds_only(
    registry: Registry, mlflow: Mlflow, clock: list[float]
) -> None:
    mlflow.down = True
    away = await registry.resolve("models:/fraud/7")
    mlflow.down = False
    clock[0] = 5.0
    back = await registry.resolve("models:/fraud/7")

    assert isinstance(away, Unresolved)
    assert away.reason is Reason.REGISTRY_UNAVAILABLE
    assert isinstance(back, ResolvedModel)


async def test_many_who_ask_the_same_ask_once(registry: Registry, mlflow: Mlflow) -> None:
    answers = await asyncio.gather(*(registry.resolve("models:/fraud/7") for _ in range(20)))

    assert len({answer.model_dump_json() for answer in answers if isinstance(answer, ResolvedModel)}) == 1
    assert len(mlflow.asked) == 1


async def test_a_registry_that_is_away_is_told_quickly(clock: list[float], unanswered: Callable[[], str]) -> None:
    registry = Registry(Settings(tracking_uri=unanswered(), registry_timeout_seconds=1), lambda: clock[0])

    async with asyncio.timeout(10):
        answer = await registry.resolve("models:/fraud/7")

    registry.close()
    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.REGISTRY_UNAVAILABLE


async def test_a_registry_that_keeps_one_waiting_in_vain_keeps_no_other_waiting(
    unanswered: Callable[[], str],
) -> None:
    ahead = [0.0]
    settings = Settings(tracking_uri=unanswered(), registry_timeout_seconds=1)
    registry = Registry(settings, lambda: time.monotonic() + ahead[0])
    await registry.resolve("models:/fraud/7")

    began = time.monotonic()
    answers = [await registry.resolve(f"models:/churn-{number}/1") for number in range(100)]
    assert time.monotonic() - began < 0.5
    assert {answer.reason for answer in answers if isinstance(answer, Unresolved)} == {Reason.REGISTRY_UNAVAILABLE}

    ahead[0] = REMEMBER_FAILURE_SECONDS + 1
    probe = asyncio.create_task(registry.resolve("models:/fraud/8"))
    await asyncio.sleep(0)
    await asyncio.wait_for(registry.resolve("models:/churn/1"), 0.5)
    assert not probe.done(), "one question is under way, and only one"
    await probe
    registry.close()


async def test_a_registry_that_is_back_is_asked_by_all_again(mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("ferryman.registry.line.SLOW", 0.0)  # whatever fails is taken for silence
    ahead = [0.0]
    registry = Registry(Settings(tracking_uri=mlflow.url), lambda: time.monotonic() + ahead[0])
    mlflow.down = True
    await registry.resolve("models:/fraud/7")
    mlflow.down = False
    asked = len(mlflow.asked)
    await registry.resolve("models:/fraud@champion")
    assert len(mlflow.asked) == asked, "it is left alone for a while"

    ahead[0] = REMEMBER_FAILURE_SECONDS + 1
    answers = [await registry.resolve(uri) for uri in ("models:/fraud/7", "models:/fraud@champion")]

    registry.close()
    assert all(isinstance(answer, ResolvedModel) for answer in answers)
