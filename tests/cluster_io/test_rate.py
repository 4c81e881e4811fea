"""How many writes a second may be sent, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from cluster_io import virtual_time
from ferryman.cluster import kinds, rate
from ferryman.cluster.kinds import Kind
from ferryman.cluster.rate import Rate

Turn = Callable[[Kind], Coroutine[None, None, None]]
Story = Callable[[Turn], Coroutine[None, None, None]]


def sent(*stories: Story, seconds: float) -> list[tuple[float, str]]:
    """Let each story write for some seconds; return when which kind was written."""

    async def all_of_them() -> list[tuple[float, str]]:
        clock, measure, seen = asyncio.get_running_loop().time, Rate(), list[tuple[float, str]]()

        async def turn(kind: Kind) -> None:
            await measure.turn(kind)
            seen.append((round(clock(), 3), kind.name))

        tasks = [asyncio.ensure_future(story(turn)) for story in stories]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        return seen

    return virtual_time.run(all_of_them())


async def wild(turn: Turn) -> None:
    while True:
        await turn(kinds.SERVICE)


async def talkative(turn: Turn) -> None:
    while True:
        await turn(kinds.EVENT)


def after(seconds: float, kind: Kind) -> Story:
    async def story(turn: Turn) -> None:
        await asyncio.sleep(seconds)
        await turn(kind)

    return story


def test_ten_rollouts_at_once_never_feel_the_measure() -> None:
    async def rollout(turn: Turn) -> None:
        for _ in range(20):
            await turn(kinds.SERVICE)

    assert sent(*[rollout] * 10, seconds=1) == [(0.0, "Service")] * 200


def test_an_operator_gone_wild_is_kept_to_the_rate() -> None:
    writes = len(sent(wild, seconds=60))

    assert 60 * rate.WRITES_PER_SECOND <= writes <= rate.BURST + 60 * rate.WRITES_PER_SECOND


def test_one_write_among_very_many_waits_for_its_turn_and_no_longer() -> None:
    async def modest(turn: Turn) -> None:
        await asyncio.sleep(10)
        for _ in range(20):
            await turn(kinds.DEPLOYMENT)

    writes = sent(*[wild] * 30, modest, seconds=60)

    at = [when for when, kind in writes if kind == "Deployment"]
    assert len(at) == 20
    assert at[-1] - 10 <= 20 * 31 / rate.WRITES_PER_SECOND + 1, "each of the 31 has its turn"


def test_events_do_not_hold_up_what_they_tell_of() -> None:
    writes = sent(*[talkative] * 50, after(10, kinds.SERVICE), seconds=20)

    assert [at for at, kind in writes if kind == "Service"] == [10.0]
    assert len(writes) - 1 <= rate.EVENTS_BURST + 20 * rate.EVENTS_PER_SECOND


def test_a_lease_is_renewed_at_once_whatever_waits() -> None:
    writes = sent(*[wild] * 50, after(10, kinds.LEASE), seconds=20)

    assert [at for at, kind in writes if kind == "Lease"] == [10.0]
