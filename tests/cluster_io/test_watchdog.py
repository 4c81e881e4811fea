"""The signs by which the operator knows that it is deaf or stuck, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from cluster_io import virtual_time
from ferryman import watchdog
from ferryman.cluster import kinds
from ferryman.cluster.queue import Key
from ferryman.watchdog import (
    BEGIN_SECONDS,
    LAG_SECONDS,
    OVERDUE_SECONDS,
    SLACK_SECONDS,
    Looks,
    Resync,
    Watchdog,
    Watches,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("name", ["watcher for pods.v1@None", "resource observer", "namespace observer"])
def test_a_watch_that_ended_or_will_never_begin_is_named(name: str) -> None:
    async def story() -> tuple[str | None, str | None, str | None]:
        watches = Watches((), asyncio.get_running_loop().time)
        none = watches()
        task = asyncio.create_task(asyncio.sleep(5), name=name)
        asyncio.create_task(asyncio.sleep(50), name="watcher for services.v1@None")  # noqa: RUF006 it is looked at
        there = watches()
        await task
        return none, there, watches()

    assert virtual_time.run(story()) == (None, None, f"{name} is gone")


def test_a_kind_that_kopf_never_began_to_watch_is_named_after_half_a_minute() -> None:
    async def story() -> list[str | None]:
        watches = Watches((kinds.SERVICE, kinds.AUTOSCALER), asyncio.get_running_loop().time)
        tasks = [asyncio.create_task(asyncio.sleep(600), name="watcher for services.v1@None")]
        await asyncio.sleep(BEGIN_SECONDS - 1)
        early = watches()
        await asyncio.sleep(2)
        late = watches()
        tasks.append(
            asyncio.create_task(asyncio.sleep(600), name="watcher for horizontalpodautoscalers.v2.autoscaling@a")
        )
        return [early, late, watches()]

    missing = "watcher for horizontalpodautoscalers.v2.autoscaling"
    said = f"there is no {missing}: the apiserver denied that kind when it was asked"
    assert virtual_time.run(story()) == [None, said, None]


def test_a_resync_may_fail_once_and_not_twice() -> None:
    clock = Clock()
    resync = Resync(clock, period=300.0)
    clock.now = 10.0
    resync.succeeded()

    clock.now += 600.0 + SLACK_SECONDS
    assert resync() is None
    clock.now += 1.0
    assert resync() == "no resync succeeded for 661 s"
    resync.succeeded()
    assert resync() is None


def test_a_look_that_outlasts_its_deadline_is_named_until_it_ends() -> None:
    async def story() -> list[str | None]:
        loop = asyncio.get_running_loop()

        async def hangs(_key: Key) -> float | None:
            await asyncio.sleep(OVERDUE_SECONDS + 10)
            return None

        looks = Looks(hangs, loop.time)
        task = asyncio.create_task(looks(Key("a", "fraud")))
        await asyncio.sleep(OVERDUE_SECONDS - 1)
        said = [looks.overdue()]
        await asyncio.sleep(2)
        said.append(looks.overdue())
        await task
        return [*said, looks.overdue()]

    assert virtual_time.run(story()) == [None, "the look at a/fraud has not ended in 91 s", None]


def test_a_look_that_failed_is_no_longer_under_way() -> None:
    async def story() -> str | None:
        loop = asyncio.get_running_loop()

        async def fails(_key: Key) -> float | None:
            raise RuntimeError("the world is broken")

        looks = Looks(fails, loop.time)
        with pytest.raises(RuntimeError):
            await looks(Key("a", "fraud"))
        await asyncio.sleep(2 * OVERDUE_SECONDS)
        return looks.overdue()

    assert virtual_time.run(story()) is None


def test_the_first_thing_that_is_wrong_ends_it() -> None:
    async def story() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        dog = Watchdog(loop.time)
        dog.watch(lambda: None, lambda: "deaf" if loop.time() >= 7 else None)
        assert dog.wrong() is None
        said = await dog.run()
        return said, round(loop.time(), 3)

    assert virtual_time.run(story()) == ("deaf", 7.0)


@pytest.mark.parametrize(("still", "ends"), [(LAG_SECONDS - 1, False), (LAG_SECONDS + 1, True)])
def test_a_process_that_stood_still_for_long_knows_nothing_of_the_world(
    still: float, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += seconds + still

    monkeypatch.setattr(watchdog.asyncio, "sleep", sleep)

    async def story() -> str:
        dog = Watchdog(clock)
        dog.watch(lambda: "something else" if not ends else None)
        return await dog.run()

    assert asyncio.run(story()) == ("the process stood still for 31 s" if ends else "something else")
