"""Work-conserving batching: rows wait only while the model is busy, never for company.

An idle model gets a request at once. What arrives while it runs becomes the next batch, up to
`max_rows`. There is no timer, so a lone request pays nothing. If a batch fails, its requests go
through one by one, so that only the one with the bad row fails.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ferryman_server.dataplane import rows as flows
from ferryman_server.dataplane import worker as workers
from ferryman_server.dataplane.errors import OverloadedError
from ferryman_server.dataplane.rows import Answer, Rows

_MOST_WAITING = 4096


class Observer(Protocol):
    """Who wants to know how the model did: metrics."""

    def executed(self, rows: int, seconds: float) -> None:
        """One run of the model is over."""

    def waited(self, seconds: float) -> None:
        """One request left the queue."""


@dataclass(slots=True)
class _Waiting:
    rows: Rows
    future: asyncio.Future[Answer]
    since: float


class Batcher:
    """Belongs to one event loop; `predict` runs on the worker's thread."""

    def __init__(
        self, predict: Callable[[Rows], Answer], worker: workers.Worker, observer: Observer, max_rows: int
    ) -> None:
        self._predict = predict
        self._worker = worker
        self._observer = observer
        self._max_rows = max_rows
        self._queue: deque[_Waiting] = deque()
        self._busy = False
        self._loop = asyncio.get_running_loop()

    async def submit(self, rows: Rows) -> Answer:
        """The model's answer for these rows."""
        if len(self._queue) >= _MOST_WAITING:
            raise OverloadedError(f"{len(self._queue)} requests are already waiting for the model; try again later.")
        waiting = _Waiting(rows, self._loop.create_future(), time.perf_counter())
        self._queue.append(waiting)
        if not self._busy:
            self._dispatch()
        return await waiting.future

    def _dispatch(self) -> None:
        batch = self._next()
        if not batch:
            return
        self._busy = True
        now = time.perf_counter()
        for waiting in batch:
            self._observer.waited(now - waiting.since)
        self._worker.submit(lambda: self._run(batch), lambda outcomes, error: self._finish(batch, outcomes, error))

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        count = 0
        while self._queue:
            first = self._queue[0]
            if first.future.done():  # its client has gone
                self._queue.popleft()
                continue
            if batch and (count + first.rows.count > self._max_rows or not batch[0].rows.fits(first.rows)):
                break
            batch.append(self._queue.popleft())
            count += first.rows.count
        return batch

    def _finish(
        self, batch: list[_Waiting], outcomes: list[Answer | BaseException] | None, error: BaseException | None
    ) -> None:
        self._busy = False
        for at, waiting in enumerate(batch):
            outcome = outcomes[at] if outcomes is not None else error
            if waiting.future.done():
                continue
            if isinstance(outcome, BaseException):
                waiting.future.set_exception(outcome)
            elif outcome is not None:
                waiting.future.set_result(outcome)
        if self._queue:
            self._dispatch()

    # --- on the worker's thread ---

    def _run(self, batch: list[_Waiting]) -> list[Answer | BaseException]:
        if len(batch) == 1:
            return [self._alone(batch[0].rows)]
        together = self._alone(flows.join([waiting.rows for waiting in batch]))
        counts = [waiting.rows.count for waiting in batch]
        if isinstance(together, BaseException) or not flows.splittable(together, sum(counts)):
            return [self._alone(waiting.rows) for waiting in batch]
        return list(flows.split(together, counts))

    def _alone(self, rows: Rows) -> Answer | BaseException:
        began = time.perf_counter()
        try:
            return self._predict(rows)
        except BaseException as error:  # noqa: BLE001 - the model's own code: its request gets it, the loop goes on
            return workers.tame(error)
        finally:
            self._observer.executed(rows.count, time.perf_counter() - began)
