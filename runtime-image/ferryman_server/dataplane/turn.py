"""One turn of the event loop: what comes in it goes through the model together, and is answered at its end.

A turn is as long as it takes to read what all sockets have: nobody waits for company that is not here. To share a run
pays, for most of a short one is getting started: nothing of it is in the processor's nearest memory once the kernel
has read a socket.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from ferryman_server.dataplane import rows as flows
from ferryman_server.dataplane import times
from ferryman_server.dataplane.costs import Costs
from ferryman_server.dataplane.rows import Answer, Rows

_noted = times.current.get
Then = Callable[[Answer | Exception], None]
"""What is done with an outcome."""


class Observer(Protocol):
    """Who wants to know how the model did: metrics."""

    def executed(self, rows: int, seconds: float) -> None:
        """One run of the model is over."""

    def waited(self, seconds: float) -> None:
        """One request left the queue."""


class Turn:
    """Belongs to one event loop, on which the model runs: for short runs only."""

    def __init__(self, predict: Callable[[Rows], Answer], costs: Costs, observer: Observer, max_rows: int) -> None:
        self._predict = predict
        self._costs = costs
        self._observer = observer
        self._max_rows = max_rows
        self._came: list[tuple[Rows, Then]] = []
        self._asker: object = None
        self._loop = asyncio.get_running_loop()

    def come(self, rows: Rows, asker: object, then: Then) -> None:
        """`then` has the outcome before the event loop waits again.

        Where the one who asked last asks again, nobody else is likely to, and the answer is there at once.
        """
        if asker is self._asker and not self._came:
            then(self.run(rows))
            return
        self._asker = asker
        self._came.append((rows, then))
        if len(self._came) == 1:
            self._loop.call_soon(self.settle)

    def settle(self) -> None:
        """End the turn now: for whoever must have an outcome before something else is done."""
        came, self._came = self._came, []
        while came:
            parts = [rows for rows, _ in came]
            size = self._together(parts)
            for (_, then), outcome in zip(came, self._outcomes(parts[:size]), strict=False):
                tell(then, outcome)
            came = came[size:]

    def _together(self, parts: list[Rows]) -> int:
        """How many of them, from the first on, may share a run."""
        first, count = parts[0], 0
        most = min(self._max_rows, self._costs.most_together())
        for at, rows in enumerate(parts):
            count += rows.count
            if at and (count > most or not first.fits(rows)):
                return at
        return len(parts)

    def _outcomes(self, parts: list[Rows]) -> list[Answer | Exception]:
        if len(parts) > 1:
            rows = flows.join(parts)
            answer = self.run(rows, len(parts))
            if not isinstance(answer, Exception) and flows.splittable(answer, rows.count):
                return list(flows.split(answer, [part.count for part in parts]))
        return [self.run(part) for part in parts]

    def run(self, rows: Rows, requests: int = 1) -> Answer | Exception:
        """What the model gives for the rows of so many requests, here and now."""
        began = time.perf_counter()
        try:
            return self._predict(rows)
        except Exception as error:  # noqa: BLE001 - the model's own: its request gets it, the loop goes on
            return error
        finally:
            ended = time.perf_counter()
            self._costs.ran(rows.count, ended - began)
            self._observer.executed(rows.count, ended - began)
            for _ in range(requests):
                self._observer.waited(0.0)
            noted = _noted()
            if noted is not None:
                noted.ran(began, ended)


def tell(then: Then, outcome: Answer | Exception) -> None:
    """Let one of several have an outcome; a mistake of ours in that is no reason to leave the others."""
    try:
        then(outcome)
    except Exception as error:  # noqa: BLE001
        told = {"message": "an answer was not written", "exception": error}
        asyncio.get_running_loop().call_exception_handler(told)
