"""A data plane that remembers its answers, and asks the model once what many ask at the same time.

It knows rows and answers, so every protocol benefits, and the same rows are the same question in each. First comes
this process's memory. Then a model that answers without leaving the event loop: it is quicker than any network. Only
then what the replicas share, and the model's queue. Errors are told to those who asked together, and not remembered.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from ferryman_server.dataplane import kept
from ferryman_server.dataplane.batch import Batcher
from ferryman_server.dataplane.cache import Cache
from ferryman_server.dataplane.key import Keys
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.turn import Then, tell


class Observer(Protocol):
    """Who wants to know whether it was worth it: metrics."""

    def remembered(self, where: str) -> None:
        """A question had an answer already: in `memory`, in `redis`, or in `flight` to another who asks the same."""

    def asked(self) -> None:
        """The model had to be asked."""


class Shared(Protocol):
    """What the replicas remember together. It may not know, and never fails."""

    async def get(self, key: bytes) -> tuple[Answer, float] | None:
        """The answer, and for how many seconds it holds."""

    def put(self, key: bytes, answer: Answer) -> None:
        """Tell the others, some time."""


@dataclass(slots=True, eq=False)
class _Flight:
    """A question on its way, and how many wait for its answer."""

    task: asyncio.Task[Answer]
    waiting: int = 0


class RememberingPlane(DataPlane):
    """Belongs to one event loop."""

    def __init__(
        self,
        model: Model,
        batcher: Batcher,
        keys: Keys,
        memory: Cache[Answer],
        *,
        seconds: float,
        observer: Observer,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(model, batcher)
        self._plain = DataPlane(model, batcher)
        self._keys = keys
        self._memory = memory
        self._seconds = seconds
        self._observer = observer
        self._shared = shared
        self._flights: dict[bytes, _Flight] = {}
        self._soon: dict[bytes, list[Then]] = {}  # who asks what in this turn of the event loop

    @property
    def prompt(self) -> bool:
        """Always: what is remembered has not to be awaited, whatever the model does."""
        return self.guest is None

    def at_once(self, rows: Rows) -> Answer | None:
        """The answer from memory, or from a model that is idle and quick."""
        key = self._keys.of(rows)
        return self._plain.at_once(rows) if key is None else self._here(key, rows)

    def soon(self, rows: Rows, asker: object, then: Then) -> bool:
        """From memory; or from a model that is idle and quick, to be remembered."""
        key = self._keys.of(rows)
        if key is None:
            return self._plain.soon(rows, asker, then)
        answer = self._memory.get(key)
        if answer is not None:
            self._observer.remembered("memory")
            then(answer)
            return True

        known = self._soon.get(key)
        if known is not None:  # somebody asks the same in this turn
            self._observer.remembered("flight")
            known.append(then)
            return True
        self._soon[key] = waiting = [then]

        def keep(outcome: Answer | Exception) -> None:
            del self._soon[key]
            if not isinstance(outcome, Exception):
                self._observer.asked()
                outcome = self._keep(key, outcome, self._seconds) or outcome
            for one in waiting:
                tell(one, outcome)

        promised = self._plain.soon(rows, asker, keep)
        if not promised:
            del self._soon[key]
        return promised

    async def predict(self, rows: Rows) -> Answer:
        """The answer, from where it costs least."""
        key = self._keys.of(rows)
        if key is None:
            self._observer.asked()
            return await self._plain.predict(rows)
        answer = self._here(key, rows)
        return answer if answer is not None else await self._together(key, rows)

    def _here(self, key: bytes, rows: Rows) -> Answer | None:
        answer = self._memory.get(key)
        if answer is not None:
            self._observer.remembered("memory")
            return answer
        answer = self._plain.at_once(rows)
        if answer is None:
            return None
        self._observer.asked()
        return self._keep(key, answer, self._seconds) or answer

    def _keep(self, key: bytes, answer: Answer, seconds: float) -> Answer | None:
        copy = kept.frozen(answer)
        if copy is not None:
            self._memory.put(key, copy, kept.size(copy), seconds)
        return copy

    async def _together(self, key: bytes, rows: Rows) -> Answer:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._ask(key, rows)))
        else:
            self._observer.remembered("flight")
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:  # it has landed; or all have gone, and the model need not be asked
                del self._flights[key]
                flight.task.cancel()

    async def _ask(self, key: bytes, rows: Rows) -> Answer:
        if self._shared is not None:
            found = await self._shared.get(key)
            if found is not None:
                self._observer.remembered("redis")
                answer, seconds = found
                return self._keep(key, answer, min(seconds, self._seconds)) or answer
        self._observer.asked()
        answer = await self._plain.predict(rows)
        copy = self._keep(key, answer, self._seconds)
        if copy is None:
            return answer
        if self._shared is not None:
            self._shared.put(key, copy)
        return copy
