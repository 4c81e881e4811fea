"""Work-conserving batching: rows wait only while the model is busy, never for company.

An idle model gets a request at once. What arrives while it runs becomes the next batch, up to
`max_rows`. There is no timer, so a lone request pays nothing. If a batch fails, its requests go
through one by one, so that only the one with the bad row fails.

A run that takes less than handing it to another thread would cost is made on the event loop (`turn`).
"""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ferryman_server.dataplane import rows as flows
from ferryman_server.dataplane import times
from ferryman_server.dataplane import worker as workers
from ferryman_server.dataplane.costs import Costs
from ferryman_server.dataplane.errors import TooManyRowsError
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.turn import Observer, Then, Turn
from ferryman_server.dataplane.waiting import Bounds, Queue, Waiting

_noted = times.current.get
_ONE = Rows((), 1)
_USUAL = Bounds()


class Batcher:
    """Belongs to one event loop; `predict` runs on the worker's thread."""

    def __init__(
        self,
        predict: Callable[[Rows], Answer],
        worker: workers.Worker,
        observer: Observer,
        max_rows: int,
        *,
        quick: bool = False,
        bounds: Bounds = _USUAL,
    ) -> None:
        self._predict = predict
        self._quick = quick
        self._costs = Costs()
        self._worker = worker
        self._observer = observer
        self._max_rows = max_rows
        self._queue = Queue(bounds)
        self._most_rows = bounds.rows
        self._busy = False
        self._here = Turn(predict, self._costs, observer, max_rows)
        self._loop = asyncio.get_running_loop()

    @property
    def prompt(self) -> bool:
        """Whether the model is idle, and may be asked on the event loop."""
        return self._quick and not self._busy

    def at_once(self, rows: Rows) -> Answer | None:
        """The model's answer, without leaving the event loop; None if that could take too long."""
        if not self._may_here(rows.count):
            return None
        outcome = self._here.run(rows)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def soon(self, rows: Rows, asker: object, then: Then) -> bool:
        """Whether `then` has the outcome before the event loop waits again; False if that could take too long."""
        if not self._may_here(rows.count):
            return False
        self._here.come(rows, asker, then)
        return True

    def _may_here(self, count: int) -> bool:
        # of too many rows `submit` says what is wrong
        return self._quick and not self._busy and count <= self._most_rows and self._costs.short(count)

    def settle(self) -> None:
        """Give the outcomes now that were to come before the event loop waits again."""
        self._here.settle()

    async def submit(self, rows: Rows) -> Answer:
        """The model's answer for these rows; `TooManyRowsError`, or `OverloadedError` if it would come too late."""
        if rows.count > self._most_rows:
            raise TooManyRowsError(
                f"A request may have {self._most_rows} rows, and this one has {rows.count}; send fewer at a time."
            )
        answer: Answer = await self._turn(Waiting(rows, self._loop.create_future(), time.perf_counter()))
        return answer

    async def run(self, job: Callable[[], Any], size: int = 0) -> Any:
        """What the job returns, which is run in the model's thread when its turn has come, and alone."""
        return await self._turn(Waiting(_ONE, self._loop.create_future(), time.perf_counter(), job, size=size))

    async def _turn(self, waiting: Waiting) -> Any:
        if self._busy and not waiting.job:  # who need not wait is not weighed
            waiting.size = flows.size(waiting.rows)
        self._queue.put(waiting)
        noted = waiting.noted = _noted()
        if noted is not None:
            noted.queued = waiting.since
        if not self._busy:
            self._dispatch()
        try:
            return await waiting.future
        except asyncio.CancelledError:  # its client has gone, and its place is somebody else's
            self._queue.drop(waiting)
            raise

    def _dispatch(self) -> None:
        batch = self._queue.take(self._fits)
        if not batch:
            return
        self._busy = True
        now = time.perf_counter()
        for waiting in batch:
            self._observer.waited(now - waiting.since)
        self._worker.submit(lambda: self._run(batch), lambda done, error: self._finish(batch, done, error))

    def _fits(self, first: Waiting, other: Waiting, count: int) -> bool:
        if first.job or other.job or count + other.rows.count > self._max_rows:
            return False
        return first.rows.fits(other.rows)

    def _finish(self, batch: list[Waiting], done: "_Done | None", error: BaseException | None) -> None:
        self._busy = False
        outcomes = done.outcomes if done is not None else None
        for count, seconds in done.runs if done is not None else ():
            self._observer.executed(count, seconds)
            self._costs.ran(count, seconds)
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

    def _run(self, batch: list[Waiting]) -> "_Done":
        done = _Done()
        if len(batch) > 1:
            counts = [waiting.rows.count for waiting in batch]
            rows = flows.join([waiting.rows for waiting in batch])
            together = self._tried(lambda: self._predict(rows), rows.count, done, batch)
            if not isinstance(together, BaseException) and flows.splittable(together, sum(counts)):
                done.outcomes.extend(flows.split(together, counts))
                return done
        for waiting in batch:
            job = waiting.job or functools.partial(self._predict, waiting.rows)
            done.outcomes.append(self._tried(job, waiting.rows.count, done, [waiting]))
        return done

    def _tried(self, job: Callable[[], Any], count: int, done: "_Done", of: list[Waiting]) -> Any:
        began = time.perf_counter()
        try:
            return job()
        except BaseException as error:  # noqa: BLE001 - the model's own code: its request gets it, the loop goes on
            return workers.tame(error)
        finally:
            ended = time.perf_counter()
            done.runs.append((count, ended - began))
            for waiting in of:
                if waiting.noted is not None:
                    waiting.noted.ran(began, ended)


@dataclass(slots=True)
class _Done:
    """What a batch came to: an outcome for each request, and how many rows each run had and how long it took."""

    outcomes: list[Any] = field(default_factory=list)
    runs: list[tuple[int, float]] = field(default_factory=list)
