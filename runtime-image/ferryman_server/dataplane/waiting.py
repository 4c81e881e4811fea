"""Those whose turn has not come: in the order in which they came, each until it is taken or has gone."""

import asyncio
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


@dataclass(slots=True, eq=False)
class Waiting:
    """One request."""

    rows: Rows
    future: asyncio.Future[Any]
    since: float
    job: Callable[[], Any] | None = None  # something else than a prediction for the rows
    noted: times.Times | None = None


class Queue:
    """Belongs to one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: OrderedDict[Waiting, None] = OrderedDict()  # anyone may leave from the middle

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """To the end; `OverloadedError` where no more may wait."""
        count = len(self._waiting)
        if count >= self._bounds.requests:
            raise OverloadedError(f"{count} requests are already waiting for the model; try again later.")
        self._waiting[waiting] = None

    def drop(self, waiting: Waiting) -> None:
        """It has gone, or its turn has come."""
        self._waiting.pop(waiting, None)

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
