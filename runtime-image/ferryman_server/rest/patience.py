"""The data plane as one request over HTTP sees it: given up when its client has left, or when its time is over.

A prediction that is answered at once costs nothing of it, and neither does a short wait. Only who waits for longer
than a moment asks ASGI whether the client is still there. Giving up cancels the wait, which takes the rows out of the
model's queue; a run of the model that has begun goes on, and nobody waits for it.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferryman_server.dataplane.guest import Asked, Told
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.rest.message import Receive, RefusedError

TIMEOUT = b"x-envoy-expected-rq-timeout-ms"
"""For how long Envoy's router will wait for this attempt: the try's own timeout, or what is left of the whole."""
_MOMENT = 0.02
"""Seconds of waiting that are not worth a watch."""

_Awaited = TypeVar("_Awaited")


class GoneError(Exception):
    """The client left before there was an answer: there is nobody to tell."""


class Patient(DataPlane):
    """For one request; `began` is when its head was here, on `time.perf_counter`."""

    _gone = False  # made for each request: what is seldom needed is not set

    def __init__(self, plane: DataPlane, receive: Receive, timeout: bytes | None, began: float) -> None:
        self.model = plane.model
        self.guest = plane.guest
        self._plane = plane
        self._receive = receive
        self._timeout = timeout
        self._began = began

    def at_once(self, rows: Rows) -> Answer | None:
        """Whoever is answered at once has no need of patience."""
        return self._plane.at_once(rows)

    async def predict(self, rows: Rows) -> Answer:
        """The answer; `GoneError` or a refusal if it would come too late."""
        left = None if self._timeout is None else self._left(self._timeout)
        answer = self._plane.at_once(rows)
        return answer if answer is not None else await self._awaited(self._plane.predict(rows), left)

    async def ask(self, asked: Asked) -> Told:
        """The same, of a model that reads requests for itself."""
        left = None if self._timeout is None else self._left(self._timeout)
        return await self._awaited(self._plane.ask(asked), left)

    async def _awaited(self, answer: Coroutine[Any, Any, _Awaited], left: float | None) -> _Awaited:
        loop = asyncio.get_running_loop()
        watches: list[asyncio.Task[None]] = []
        waits = asyncio.timeout(left)
        moment = loop.call_later(_MOMENT, lambda: watches.append(loop.create_task(self._watch(waits))))
        try:
            async with waits:
                return await answer
        except TimeoutError:
            if not waits.expired():
                raise
            raise (GoneError() if self._gone else self._late()) from None
        finally:
            moment.cancel()
            for watch in watches:
                watch.cancel()

    async def _watch(self, waits: asyncio.Timeout) -> None:
        event = await self._receive()  # the body has been read, so there is one thing left to hear
        if event["type"] == "http.disconnect" and not waits.expired():
            self._gone = True
            waits.reschedule(0)

    def _left(self, timeout: bytes) -> float | None:
        """Seconds until the deadline; None where the header says none, or nothing that can be meant."""
        if not timeout.isdigit() or len(timeout) > 9 or not int(timeout):
            return None
        left = self._began + int(timeout) / 1000 - time.perf_counter()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> RefusedError:
        had = (self._timeout or b"").decode("latin-1")
        return RefusedError(504, f"The request's deadline has passed: it had {had} ms ({TIMEOUT.decode()}).")
