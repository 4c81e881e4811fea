"""The work queue, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cluster_io import virtual_time
from ferryman.cluster import errors
from ferryman.cluster.queue import Key, Queue

FRAUD, CHURN = Key("default", "fraud"), Key("default", "churn")


class World:
    """A queue, and what it was seen to do and when."""

    def __init__(self, look: Callable[[Key], Awaitable[float | None]], workers: int = 2) -> None:
        self.clock = asyncio.get_running_loop().time
        self.looks: list[tuple[float, str]] = []
        self.failures: list[float] = []
        self._look = look
        self.queue = Queue(self._process, self._report, workers=workers, clock=self.clock, jitter=lambda: 1.0)

    async def during(self, seconds: float, *then: tuple[float, Callable[[], None]]) -> None:
        """Let the queue work for some seconds, and do things at their times."""
        loop = asyncio.get_running_loop()
        for after, action in then:
            loop.call_later(after, action)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.queue.run()

    async def _process(self, key: Key) -> float | None:
        self.looks.append((round(self.clock(), 3), key.name))
        return await self._look(key)

    def _report(self, _key: Key, _error: Exception, delay: float) -> None:
        self.failures.append(round(delay, 3))


async def nothing_more(_key: Key) -> float | None:
    return None


async def a_long_look(_key: Key) -> float | None:
    await asyncio.sleep(10)
    return None


async def a_failure(_key: Key) -> float | None:
    raise RuntimeError("the world is broken")


def test_what_is_added_twice_is_looked_at_once() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(nothing_more)
        world.queue.add(FRAUD)
        world.queue.add(FRAUD)
        await world.during(60)
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud")]


def test_what_changes_during_a_look_is_looked_at_once_more_afterwards() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(a_long_look)
        world.queue.add(FRAUD)
        await world.during(60, *((after, lambda: world.queue.add(FRAUD)) for after in (1, 2, 3)))
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (10.0, "fraud")]


def test_one_object_never_has_two_looks_at_once_while_others_go_on() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(a_long_look)
        world.queue.add(FRAUD)
        await world.during(25, (1, lambda: world.queue.add(FRAUD)), (2, lambda: world.queue.add(CHURN)))
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (2.0, "churn"), (10.0, "fraud")]


def test_no_more_objects_are_looked_at_than_there_are_workers() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(a_long_look, workers=1)
        world.queue.add(FRAUD)
        world.queue.add(CHURN, after=0.5)
        await world.during(25)
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (10.0, "churn")]


def test_a_delay_is_kept_and_an_event_comes_before_it() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(nothing_more)
        world.queue.add(FRAUD, after=30)
        world.queue.add(CHURN, after=30)
        await world.during(60, (5, lambda: world.queue.add(CHURN)))
        return world.looks

    assert virtual_time.run(story()) == [(5.0, "churn"), (30.0, "fraud")]


def test_a_later_wish_does_not_put_off_an_earlier_one() -> None:
    async def story() -> list[tuple[float, str]]:
        world = World(nothing_more)
        world.queue.add(FRAUD, after=5)
        world.queue.add(FRAUD, after=50)
        await world.during(100)
        return world.looks

    assert virtual_time.run(story()) == [(5.0, "fraud")]


def test_a_look_that_asks_for_it_is_repeated_at_its_time() -> None:
    async def every_seven_seconds(_key: Key) -> float | None:
        return 7.0

    async def story() -> list[tuple[float, str]]:
        world = World(every_seven_seconds)
        world.queue.add(FRAUD)
        await world.during(20)
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (7.0, "fraud"), (14.0, "fraud")]


def test_failures_are_repeated_ever_more_slowly_up_to_half_a_minute() -> None:
    async def story() -> list[float]:
        world = World(a_failure)
        world.queue.add(FRAUD)
        await world.during(150)
        return world.failures

    assert virtual_time.run(story()) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0, 30.0]


def test_a_success_makes_the_next_failure_a_first_one() -> None:
    outcomes = iter([False, False, True, False])

    async def fails_as_told(_key: Key) -> float | None:
        if next(outcomes, True):
            return 5.0
        raise RuntimeError("not this time")

    async def story() -> list[float]:
        world = World(fails_as_told)
        world.queue.add(FRAUD)
        await world.during(10)
        return world.failures

    assert virtual_time.run(story()) == [0.2, 0.4, 0.2]


def test_one_object_that_fails_does_not_hold_up_another() -> None:
    async def fraud_fails(key: Key) -> float | None:
        return await a_failure(key) if key == FRAUD else None

    async def story() -> list[tuple[float, str]]:
        world = World(fraud_fails, workers=1)
        world.queue.add(FRAUD)
        await world.during(60, (20, lambda: world.queue.add(CHURN)))
        return world.looks

    assert (20.0, "churn") in virtual_time.run(story())


def test_depth_counts_what_is_due_and_waits() -> None:
    async def story() -> list[int]:
        world, depths = World(a_long_look, workers=1), []
        world.queue.add(FRAUD)
        world.queue.add(CHURN)
        world.queue.add(Key("default", "later"), after=100)
        await world.during(
            15, (5, lambda: depths.append(world.queue.depth())), (12, lambda: depths.append(world.queue.depth()))
        )
        return depths

    assert virtual_time.run(story()) == [1, 0]


def refused(_key: Key, seconds: float) -> errors.Unavailable:
    return errors.Unavailable("apply", "Deployment", "default", "fraud-1", "later", seconds)


def test_the_apiserver_is_left_alone_for_as_long_as_it_asks() -> None:
    async def fraud_is_told_to_wait(key: Key) -> float | None:
        if key == FRAUD:
            raise refused(key, 12.0)
        return None

    async def story() -> list[tuple[float, str]]:
        world = World(fraud_is_told_to_wait)
        world.queue.add(FRAUD)
        events = [(after, lambda: world.queue.add(FRAUD)) for after in (1, 5, 11)]
        await world.during(30, *events, (6, lambda: world.queue.add(CHURN)))
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (6.0, "churn"), (12.0, "fraud"), (24.0, "fraud")]


def test_an_event_during_a_look_that_fails_does_not_shorten_the_rest() -> None:
    async def looks_a_while_and_is_told_to_wait(key: Key) -> float | None:
        await asyncio.sleep(2)
        raise refused(key, 10.0)

    async def story() -> list[tuple[float, str]]:
        world = World(looks_a_while_and_is_told_to_wait)
        world.queue.add(FRAUD)
        await world.during(20, (1, lambda: world.queue.add(FRAUD)))
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (12.0, "fraud")]


def test_nobody_is_left_alone_for_longer_than_a_minute() -> None:
    async def told_to_wait_for_a_day(key: Key) -> float | None:
        raise refused(key, 86400.0)

    async def story() -> list[tuple[float, str]]:
        world = World(told_to_wait_for_a_day)
        world.queue.add(FRAUD)
        await world.during(100)
        return world.looks

    assert virtual_time.run(story()) == [(0.0, "fraud"), (60.0, "fraud")]


def test_a_short_rest_does_not_shorten_the_wait_that_grows() -> None:
    async def told_to_wait_a_second(key: Key) -> float | None:
        raise refused(key, 1.0)

    async def story() -> list[float]:
        world = World(told_to_wait_a_second)
        world.queue.add(FRAUD)
        await world.during(15)
        return world.failures

    assert virtual_time.run(story()) == [1.0, 1.0, 1.0, 1.6, 3.2, 6.4, 12.8]


def test_objects_whose_looks_hang_again_and_again_leave_half_of_the_workers_to_everybody_else() -> None:
    async def story() -> list[tuple[float, str]]:
        async def hangs_but_churn(key: Key) -> float | None:
            if key == CHURN:
                return None
            await asyncio.sleep(60)
            raise RuntimeError("no answer in time")

        world = World(hangs_but_churn, workers=4)
        for number in range(10):
            world.queue.add(Key("default", f"hangs-{number}"))
        # each has failed once after three minutes at the latest
        asked = [200.0 + 7 * turn for turn in range(20)]
        await world.during(400, *((after, lambda: world.queue.add(CHURN)) for after in asked))
        return [(at, name) for at, name in world.looks if name == "churn"]

    assert virtual_time.run(story()) == [(200.0 + 7 * turn, "churn") for turn in range(20)]
