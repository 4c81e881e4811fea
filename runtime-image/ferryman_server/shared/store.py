"""The Redis that replicas share answers through: asked for a few milliseconds, and not at all when it is in trouble.

A request waits for it at most the budget, whatever happens; a read that takes longer ends by itself, so that no
connection is left with an answer that the next question could take for its own. Connecting is never a request's work:
one attempt at a time finds out whether Redis is there, and leaves the connections behind. Writes wait for nobody.
"""

import asyncio
import time
from collections.abc import Coroutine
from random import random
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from redis import asyncio as redis
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ferryman_server import log
from ferryman_server.dataplane.rows import Answer
from ferryman_server.reason import first_line
from ferryman_server.shared import breaker, value

_BUDGET = 0.005
_PUNCTUAL = 0.002
"""A budget that ends later than this was ended by our own event loop, and says nothing about Redis."""
_PATIENCE = 1.0
"""Seconds after which a command is given up by those who do not wait for it."""
_READERS, _WRITERS = 4, 2
_MOST_READS, _MOST_WRITES = 64, 16
_PINGS = 3


class Observer(Protocol):
    """Who wants to know how Redis does: metrics."""

    def read(self, seconds: float) -> None:
        """A request waited this long for it."""

    def unwritten(self) -> None:
        """An answer was not shared: Redis refused it, or too many were on their way."""

    def connected(self, *, now: bool) -> None:
        """Whether it is being asked."""


class Store:
    """Belongs to one event loop; `namespace` is the revision's."""

    def __init__(self, url: str, namespace: str, seconds: int, observer: Observer) -> None:
        self._place = _Place(url)
        self._reads, self._writes = _client(url, _READERS), _client(url, _WRITERS)
        self._prefix = f"ferryman:answer:{namespace}:"
        self._seconds = seconds
        self._observer = observer
        self._breaker = breaker.Breaker(random)
        self._reading: set[asyncio.Task[Any]] = set()
        self._writing: set[asyncio.Task[Any]] = set()
        self._said: set[str] = set()
        self._trying = asyncio.create_task(self._try(""))

    async def close(self) -> None:
        """Leave without waiting for what is still on its way."""
        tasks = {self._trying, *self._reading, *self._writing}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reads.aclose()
        await self._writes.aclose()

    async def get(self, key: bytes) -> tuple[Answer, float] | None:
        """The answer and its seconds, if Redis knows it and says so within the budget."""
        if self._breaker.open or len(self._reading) >= _MOST_READS:
            return None
        began = time.perf_counter()
        reading = _kept(self._reading, self._read(self._prefix + key.hex()))
        await asyncio.wait((reading,), timeout=_BUDGET)
        spent = time.perf_counter() - began
        self._observer.read(spent)
        if reading.done():
            found = value.unpack(key, reading.result())
            return (found[0], found[1] - time.time()) if found and found[1] > time.time() else None
        if spent < _BUDGET + _PUNCTUAL:
            self._failed(f"no answer within {_BUDGET * 1000:.0f} ms")
        return None

    def put(self, key: bytes, answer: Answer) -> None:
        """Write it, if Redis is there and has not too much to do."""
        if self._breaker.open:
            return
        packed = value.pack(key, answer, time.time() + self._seconds)
        if packed is None or len(self._writing) >= _MOST_WRITES:
            self._observer.unwritten()
            return
        _kept(self._writing, self._write(self._prefix + key.hex(), packed))

    async def _read(self, name: str) -> bytes:
        began = time.perf_counter()
        found = b""
        try:
            # Not GET: whatever stands under our name must not fill our memory.
            found = await self._reads.getrange(name, 0, value.MOST)
        except exceptions.ResponseError as error:  # another type stands there, or we may not
            self._refused("a read", error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with Redis, or its client: go on without
            self._failed(first_line(error))
            return b""
        if time.perf_counter() - began < _BUDGET:
            self._breaker.succeeded()
        return found

    async def _write(self, name: str, packed: bytes) -> None:
        try:
            await self._writes.set(name, packed, ex=self._seconds)
        except exceptions.ResponseError as error:  # it is full, or a replica, or we may not
            self._observer.unwritten()
            self._refused("a write", error)
        except Exception as error:  # noqa: BLE001 - as above
            self._observer.unwritten()
            self._failed(first_line(error))

    def _refused(self, what: str, error: Exception) -> None:
        if what not in self._said:
            self._said.add(what)
            log.line(self._place.told(f"refuses {what}: {first_line(error)} (said once)"))

    def _failed(self, why: str) -> None:
        if self._breaker.failed():
            self._observer.connected(now=False)
            log.line(self._place.told(f"is not asked for now: {why}"))
            self._trying = asyncio.create_task(self._try(why))

    async def _try(self, why: str) -> None:
        """Until it is there: connect, and see whether it is quick enough."""
        while True:
            await asyncio.sleep(self._breaker.wait())
            try:
                await self._attempt()
            except Exception as error:  # noqa: BLE001 - as above; a URL's unknown option, too
                why, before = first_line(error), why
                if why != before:
                    log.line(self._place.told(f"is not asked for now: {why}"))
                continue
            self._breaker.close()
            self._observer.connected(now=True)
            log.line(self._place.told("shares answers"))
            return

    async def _attempt(self) -> None:
        pings = [
            client.ping() for client, many in ((self._reads, _READERS), (self._writes, _WRITERS)) for _ in range(many)
        ]
        await asyncio.gather(*pings)
        quickest = _PATIENCE
        for _ in range(_PINGS):
            began = time.perf_counter()
            await self._reads.ping()
            quickest = min(quickest, time.perf_counter() - began)
        if quickest > _BUDGET:
            raise TimeoutError(f"no answer within {_BUDGET * 1000:.0f} ms")


class _Place:
    """What may be said of a URL: not its password, wherever others put it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = f"{parts.hostname}:{parts.port or 6379}"
        self._secrets = {secret for secret in (parts.password, unquote(parts.password or "")) if secret}

    def told(self, fact: str) -> str:
        for secret in self._secrets:
            fact = fact.replace(secret, "***")
        return f"Redis at {self._address} {fact}"


def _client(url: str, connections: int) -> Any:
    """A client that tries once: who asks has no time for more, and `_try` has its own."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=_PATIENCE,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
    )
    return redis.Redis(connection_pool=pool)


def _kept(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """The loop itself remembers tasks only weakly."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
