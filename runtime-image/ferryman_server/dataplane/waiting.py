"""Those whose turn has not come, in the order they came in: each until it is taken, has gone, or waits too long.

What waits is bounded in number, bytes and time, so that a model that cannot keep up says so while somebody listens.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ferryman_server.dataplane import times
from ferryman_server.dataplane.errors import OverloadedError
from ferryman_server.dataplane.rows import Rows


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the requests of one model may come to."""

    requests: int = 4096
    """That wait at a time."""
    rows: int = 1_000_000
    """Of one request."""
    queue_bytes: int = 256 * 1024 * 1024
    """Of all rows that wait; a lone request may have more."""
    queue_seconds: float = 60
    """For which one waits."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One request."""

    rows: Rows
    future: asyncio.Future[Any]
    since: float
    job: Callable[[], Any] | None = None  # something else than a prediction for the rows
    noted: times.Times | None = None
    size: int = 0  # bytes


class Queue:
    """Belongs to one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: OrderedDict[Waiting, None] = OrderedDict()  # anyone may leave from the middle
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None  # one, for whoever has waited longest

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """To the end; `OverloadedError` where no more may wait."""
        count, held = len(self._waiting), self._bytes
        if count >= self._bounds.requests:
            raise OverloadedError(f"{count} requests are already waiting for the model; try again later.")
        if count and held + waiting.size > self._bounds.queue_bytes:
            raise OverloadedError(f"{held} bytes of rows are already waiting for the model; try again later.")
        self._waiting[waiting] = None
        self._bytes += waiting.size
        if self._timer is None:
            self._timer = self._loop.call_later(self._bounds.queue_seconds, self._turn_away)

    def drop(self, waiting: Waiting) -> None:
        """It has gone, or its turn has come."""
        if waiting in self._waiting:
            del self._waiting[waiting]
            self._bytes -= waiting.size

    def _turn_away(self) -> None:
        """Those who have waited too long; then look again when the next would have."""
        self._timer = None
        while self._waiting:
            first = next(iter(self._waiting))
            left = first.since + self._bounds.queue_seconds - time.perf_counter()
            if left > 0:
                self._timer = self._loop.call_later(left, self._turn_away)
                return
            self.drop(first)
            if not first.future.done():
                told = f"The model did not come to this request in {self._bounds.queue_seconds:g} s; try again later."
                first.future.set_exception(OverloadedError(told))

    def take(self, fits: Callable[[Waiting, Waiting, int], bool]) -> list[Waiting]:
        """The first, and those behind it as long as they fit: `fits(first, next, rows so far)`."""
        batch: list[Waiting] = []
        count = 0
        while self._waiting:
            first = next(iter(self._waiting))
            if first.future.done():  # its client has gone a moment ago
                self.drop(first)
                continue
            if batch and not fits(batch[0], first, count):
                break
            self.drop(first)
            batch.append(first)
            count += first.rows.count
        return batch
