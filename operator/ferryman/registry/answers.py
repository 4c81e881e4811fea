"""Which bytes a model URI means now.

A plain location means itself. A `models:/` name is asked of the registry, in its turn, with a short timeout; answers
are remembered until they are polled again, failures for a few seconds, and one question is never under way twice.
That the registry is away or does not know the name is an expected answer, and so a value. So is that it is not this
name's turn, or that others wait for this registry already: the poll asks then, and `changed` tells who follows.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar

from ferryman.api import reference
from ferryman.api.conditions import Reason
from ferryman.api.reference import RegistryReference
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import client, questions
from ferryman.registry.line import REMEMBER_FAILURE_SECONDS, Line, away
from ferryman.registry.questions import Page
from ferryman.registry.turns import Turns
from ferryman.settings import Settings

POLLS = 2
"""For how many polls an alias' answer is remembered: each renews it, and a look after a missed one asks itself."""
VERSION_SECONDS = 86400.0
"""For how long a version's answer is: polls find out that it is gone, and each renews it."""
THREADS = 4
BESIDE = 2
"""The threads for each of lists, files, and what the registry is told."""
MOST_WAITING = 2
"""So many looks wait for one registry; all others go on without, so that none has all the workers."""

Answer = ResolvedModel | Unresolved
Given = ParamSpec("Given")
Said = TypeVar("Said")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a URI means, as far as that is known."""

    answer: Answer
    at: float
    """When it was asked for."""
    until: float
    good: ResolvedModel | None = None
    """What it meant when it last meant something: what the registry's list says of its version is enough then."""


class Registry:
    """The model registry as the operator sees it."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self.turns = Turns(clock)
        self.changed: Callable[[str], None] = _nobody
        """Hears of a URI that means something else than those who follow it were told."""
        self.line = Line(settings, clock, THREADS)
        self.lists, self.files, self.writes = (Line(settings, clock, BESIDE) for _ in range(3))
        """That one purpose is not served, such as by a store of files that hangs, says nothing of the others."""
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._reading: dict[str, asyncio.Task[Any]] = {}
        self._owed: dict[str, float] = {}
        """Who waits for an answer that could not be had, and from when on it is asked for again."""
        self._waiting = 0
        self._page = questions.PAGE
        client.prepare(settings)

    async def resolve(self, uri: str, pinned: Iterable[ResolvedModel] = ()) -> Answer:
        """Return the model that a URI means now, or why nobody can say; `pinned` is what it was known to mean."""
        name = reference.registry_reference(uri)
        if name is None:
            return ResolvedModel(uri=uri, requested=uri)
        if not self._settings.tracking_uri:
            return Unresolved(
                Reason.REGISTRY_NOT_CONFIGURED,
                f"{uri} names a model in MLflow, and the operator was installed without a tracking server; set "
                "mlflow.trackingUri in the chart's values",
            )
        known = self._known.get(uri) or self._remembered(uri, pinned)
        if known is not None and self._clock() < known.until:
            return known.answer
        asking, silence = self._asking.get(uri), self.line.silence()
        if asking is None and silence is not None:
            self.owe(uri)
            return silence
        price = 1 if known is not None and known.good is not None else 2  # what is missing costs a second question
        if self._waiting >= MOST_WAITING or (asking is None and not self.turns.take(price)):
            self.owe(uri)
            return known.answer if known is not None else later(uri)
        if asking is None:
            asking = self._begin(uri, name, price)
        with self._looked():
            return await asyncio.shield(asking)

    async def read(
        self, uri: str, file: str, question: Callable[Given, Said], *args: Given.args, **options: Given.kwargs
    ) -> Said | Unresolved | None:
        """Ask for a file of what a URI means, for a look; None where it has to come again in its turn.

        Who follows the URI is told when that is. One file is never asked for twice at once.
        """
        reading: asyncio.Task[Said | Unresolved] | None = self._reading.get(file)
        silence = self.files.silence()
        if reading is None and silence is not None:
            return silence
        if self._waiting >= MOST_WAITING or (reading is None and not self.turns.take()):
            self.owe(uri)
            return None
        if reading is None:
            reading = asyncio.create_task(self.files.ask(question, *args, **options), name=f"read {file}")
            reading.add_done_callback(lambda _: self._reading.pop(file))
            self._reading[file] = reading
        with self._looked():
            return await asyncio.shield(reading)

    def forget(self, model: str) -> None:
        """Ask again for a registered model at the next question: it is not what it was."""
        for uri in [uri for uri in self._known if reference.names(uri, model)]:
            self._known[uri] = replace(self._known[uri], until=self._clock())
        # a question under way may already have read what is old; who waits for it gets that, who comes gets a new one
        self._asking = {uri: task for uri, task in self._asking.items() if not reference.names(uri, model)}

    async def ask_again(self, uri: str) -> None:
        """Ask for a URI in its turn although its answer is remembered.

        The answer that stands is given to all who ask meanwhile.
        """
        name = reference.registry_reference(uri)
        if name is None or not self._settings.tracking_uri:
            return
        await self.turns.come()
        if uri not in self._asking and self.line.silence() is None:
            await asyncio.shield(self._begin(uri, name, 1))

    async def aliases(self, token: str | None) -> tuple[Page, str | None]:
        """Return a page of all models' aliases with their versions, and what asks for the next, if there is one."""
        server = self._settings.tracking_uri
        while server:
            await self.turns.come()
            if self.line.silence() is not None:
                break
            page = await self.lists.ask(questions.aliases, server, token, self._page)
            if page is not None:
                return ({}, None) if isinstance(page, Unresolved) else page
            self._page //= 2
            log.warning("MLflow at %s says too much of %d models: %d a page", server, 2 * self._page, self._page)
        return {}, None

    def listed(self, uri: str, version: str, whole: ResolvedModel | None, asked_at: float) -> bool:
        """Take in what the registry's list, asked for at that time, says of a URI; False where it is not enough."""
        known = self._known.get(uri)
        if known is not None and known.at > asked_at:
            return True  # what is known is younger
        good = known.good if known is not None else None
        model = good if good is not None and good.version == version else whole
        if model is not None:
            self._take_in(uri, model)
        return model is not None

    def retain(self, uris: Iterable[str]) -> None:
        """Forget all but what somebody names."""
        named = set(uris)
        self._known = {uri: known for uri, known in self._known.items() if uri in named}
        self._owed = {uri: due for uri, due in self._owed.items() if uri in named}

    def price(self, uri: str) -> int:
        """Return how many requests a question costs: what is missing is asked for twice."""
        known = self._known.get(uri)
        return 2 if known is not None and _missing(known.answer) else 1

    def asked_since(self, uri: str, moment: float) -> bool:
        """Tell whether an answer is so young."""
        known = self._known.get(uri)
        return known is not None and known.at > moment

    def owe(self, uri: str) -> None:
        """Have a URI asked for in its turn, and who follows it told."""
        self._owed.setdefault(uri, self._clock())

    def owed(self, until: float = math.inf) -> list[str]:
        """Return who waits for an answer, and may be asked for at such a time."""
        return [uri for uri, due in self._owed.items() if due <= until and uri not in self._asking]

    def lapse(self, most: int) -> None:
        """Take what is too old to be believed for unknown while the registry is silent, so many at a time."""
        silence, now = self.line.silence(), self._clock()
        if silence is None:
            return
        old = [
            uri
            for uri, known in self._known.items()
            if known.until <= now and isinstance(known.answer, ResolvedModel)
        ]
        for uri in old[:most]:
            self._take_in(uri, silence)

    def close(self) -> None:
        """Let the threads go; a question under way is not waited for."""
        for line in (self.line, self.lists, self.files, self.writes):
            line.close()

    def _remembered(self, uri: str, pinned: Iterable[ResolvedModel]) -> _Known | None:
        """Return what a status says of a URI: of a version all there is to know, of an alias the last news."""
        found = next((model for model in pinned if model.requested == uri), None)
        if found is None:
            return None
        moves, now = reference.moves(uri), self._clock()
        # others may know an alias to have moved since: it is only what the registry's list is compared with
        answer, until = (later(uri), now) if moves else (found, now + VERSION_SECONDS)
        known = self._known[uri] = _Known(answer, at=-math.inf, until=until, good=found)
        return known

    @contextmanager
    def _looked(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _period(self, uri: str) -> float:
        """Return for how long an answer is remembered: an alias may move, and a version means what it means."""
        return POLLS * self._settings.registry_poll_seconds if reference.moves(uri) else VERSION_SECONDS

    def _begin(self, uri: str, name: RegistryReference, paid: int) -> asyncio.Task[Answer]:
        asking = self._asking[uri] = asyncio.create_task(self._ask(uri, name, paid), name=f"resolve {uri}")
        return asking

    async def _ask(self, uri: str, name: RegistryReference, paid: int) -> Answer:
        try:
            answer = await self.line.ask(questions.look_up, self._settings.tracking_uri, uri, name)
        finally:
            current = self._asking.get(uri) is asyncio.current_task()
            if current:
                del self._asking[uri]
        self.turns.owe((2 if _missing(answer) else 1) - paid)
        if current:
            self._take_in(uri, answer)
        return answer

    def _take_in(self, uri: str, answer: Answer) -> None:
        """Remember an answer; tell who follows the URI if it is another than the one before, whoever asked."""
        before, now, period = self._known.get(uri), self._clock(), self._period(uri)
        good = answer if isinstance(answer, ResolvedModel) else before.good if before is not None else None
        until = now + (period if good is answer else min(period, REMEMBER_FAILURE_SECONDS))
        self._known[uri] = _Known(answer, now, until, good)
        other = before is not None and _meaning(before.answer) != _meaning(answer)
        if away(answer):
            self._owed[uri] = now + self._settings.registry_poll_seconds / 2
        else:
            other = self._owed.pop(uri, None) is not None or other
        if other:
            self.changed(uri)


def later(uri: str) -> Unresolved:
    """Return that a question has to wait for its turn."""
    return Unresolved(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow is asked what {uri} means in its turn, at most two questions a second; what serves, serves on",
    )


def _missing(answer: Answer) -> bool:
    return isinstance(answer, Unresolved) and not away(answer)


def _meaning(answer: Answer) -> object:
    """Return what makes an answer another: the bytes, or the kind of failure, whose words may differ each time."""
    return (answer.uri, answer.source) if isinstance(answer, ResolvedModel) else answer.reason


def _nobody(_: str) -> None:
    """Hear nothing."""
