"""A store beside a real Redis, with an observer that writes everything down, and patience for busy machines."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import numpy as np

from ferryman_server.dataplane.rows import Answer
from ferryman_server.shared import store

SOON = 0.8
"""Far above the budget, for machines with other work, and far below what a client without a budget would wait."""
_PATIENCE = 30.0


class Ledger:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.reads = 0
        self.lost = 0
        self.up = False

    def read(self, seconds: float) -> None:
        assert seconds >= 0
        self.reads += 1

    def unwritten(self) -> None:
        self.lost += 1

    def connected(self, *, now: bool) -> None:
        self.up = now


class World:
    """A store with its observer."""

    def __init__(self, url: str, seconds: int = 60) -> None:
        self.ledger = Ledger()
        self.store = store.Store(url, "iris-0a1b2c3d", seconds, self.ledger)

    async def get(self, at: int) -> float | None:
        """The answer to a question, and never late."""
        began = time.perf_counter()
        found = await self.store.get(key(at))
        assert time.perf_counter() - began < SOON
        return None if found is None else float(found[0]["predict"].item())

    async def until_up(self) -> None:
        await until(lambda: self.ledger.up, "Redis is asked")

    async def until_down(self) -> None:
        """Ask until nobody asks any more."""
        deadline = time.monotonic() + _PATIENCE
        while self.ledger.up:
            assert await self.get(0) is None
            assert time.monotonic() < deadline

    async def remember(self, at: int) -> None:
        self.store.put(key(at), answer(at))
        await until(lambda: not self.store._writing, "it is written")


async def until(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not claim():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def world(url: str, seconds: int = 60, *, up: bool = True) -> AsyncIterator[World]:
    it = World(url, seconds)
    try:
        if up:
            await it.until_up()
        yield it
    finally:
        await it.store.close()


def key(at: int) -> bytes:
    return at.to_bytes(20)


def name(at: int) -> str:
    return f"ferryman:answer:iris-0a1b2c3d:{key(at).hex()}"


def answer(at: int) -> Answer:
    return {"predict": np.array([float(at)])}


async def eventually(it: World, at: int) -> float:
    """The answer that is there, however busy the machine: a read that came too late is tried again."""
    deadline = time.monotonic() + _PATIENCE
    while (found := await it.get(at)) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    return found


async def nothing(it: World, at: int) -> None:
    """Not an answer: Redis was asked in time, and that is no failure of its."""
    deadline = time.monotonic() + _PATIENCE
    reads = it.ledger.reads
    while it.ledger.reads == reads or it.store._breaker._failures:
        assert time.monotonic() < deadline
        reads = it.ledger.reads
        assert await it.get(at) is None
