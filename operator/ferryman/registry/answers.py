"""Which bytes a model URI means now.

A plain location means itself. A `models:/` name is asked of the registry, in a thread, with a short timeout; answers
are remembered until they are polled again, failures for a few seconds, and one question is never under way twice.
That the registry is away or does not know the name is an expected answer, and so a value. While it keeps those who
ask waiting in vain, one question at a time finds out whether it is back, and all others have that answer at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ferryman.api import reference
from ferryman.api.conditions import Reason
from ferryman.api.reference import RegistryReference
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import client, questions
from ferryman.settings import Settings

REMEMBER_FAILURE_SECONDS = 4.0
SLOW = 0.8
"""The part of the timeout after which a failure is taken for silence."""
FAILURES = 3
"""So many failures in a row, of whatever kind, are taken for silence, too."""
POLLS = 2
"""For how many polls an alias' answer is remembered: each renews it, and a look after a missed one asks itself."""
VERSION_SECONDS = 86400.0
"""For how long a version's answer is: polls find out that it is gone, and each renews it."""
THREADS = 4

Answer = ResolvedModel | Unresolved


@dataclass(frozen=True, slots=True)
class _Remembered:
    answer: Answer
    until: float


class Registry:
    """The model registry as the operator sees it."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="registry")
        self._remembered: dict[str, _Remembered] = {}
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._silence: _Remembered | None = None
        self._failures = 0
        """How many questions in a row were not answered."""
        client.prepare(settings)

    async def resolve(self, uri: str) -> Answer:
        """Return the model that a URI means now, or why nobody can say."""
        name = reference.registry_reference(uri)
        if name is None:
            return ResolvedModel(uri=uri, requested=uri)
        if not self._settings.tracking_uri:
            return Unresolved(
                Reason.REGISTRY_NOT_CONFIGURED,
                f"{uri} names a model in MLflow, and the operator was installed without a tracking server; set "
                "mlflow.trackingUri in the chart's values",
            )
        remembered = self._remembered.get(uri)
        if remembered is not None and self._clock() < remembered.until:
            return remembered.answer
        asking = self._asking.get(uri)
        silence = self._silence
        if asking is None and silence is not None and self._silent():
            return silence.answer
        if asking is None:
            asking = asyncio.create_task(self._ask(uri, name), name=f"resolve {uri}")
            self._asking[uri] = asking
        return await asyncio.shield(asking)

    def forget(self, model: str) -> None:
        """Ask again for a registered model at the next question: it is not what it was."""
        self._remembered = {uri: old for uri, old in self._remembered.items() if not reference.names(uri, model)}
        # a question under way may already have read what is old; who waits for it gets that, who comes gets a new one
        self._asking = {uri: task for uri, task in self._asking.items() if not reference.names(uri, model)}

    async def ask_again(self, uri: str) -> bool:
        """Ask for a URI although its answer is remembered; tell whether whoever follows it has to hear of it.

        The answer that stands is given to all who ask meanwhile.
        """
        before = self._remembered.get(uri)
        name = reference.registry_reference(uri)
        if name is None or not self._settings.tracking_uri or uri in self._asking:
            return False
        if self._silent():
            return before is None or self._clock() >= before.until
        self._asking[uri] = asyncio.create_task(self._ask(uri, name), name=f"resolve {uri}")
        after = await asyncio.shield(self._asking[uri])
        return before is None or before.answer != after

    async def aliases(self, token: str | None) -> tuple[dict[RegistryReference, str], str | None]:
        """Return a page of all models' aliases with their versions, and what asks for the next, if there is one."""
        if not self._settings.tracking_uri or self._silent():
            return {}, None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, questions.aliases, self._settings.tracking_uri, token)

    def stands(self, uri: str, version: str) -> bool:
        """Take in that an alias stands for a version; tell whether that is what is remembered."""
        known = self._remembered.get(uri)
        if known is None or not isinstance(known.answer, ResolvedModel) or known.answer.version != version:
            return False
        self._remembered[uri] = _Remembered(known.answer, self._clock() + self._period(uri))
        return True

    def _silent(self) -> bool:
        """Tell whether the registry keeps those who ask waiting in vain, and somebody else finds out."""
        silence = self._silence
        return silence is not None and (bool(self._asking) or self._clock() < silence.until)

    def _period(self, uri: str) -> float:
        """Return for how long an answer is remembered: an alias may move, and a version means what it means."""
        return POLLS * self._settings.registry_poll_seconds if reference.moves(uri) else VERSION_SECONDS

    async def _ask(self, uri: str, name: RegistryReference) -> Answer:
        tracking = self._settings.tracking_uri
        began = self._clock()
        patience = self._settings.registry_timeout_seconds + 1.0  # the request's own timeout tells more
        try:
            loop = asyncio.get_running_loop()
            question = loop.run_in_executor(self._threads, questions.look_up, tracking, uri, name)
            answer = await asyncio.wait_for(question, patience)
        except TimeoutError:
            answer = questions.away(tracking, f"no answer within {patience:g} s")
        finally:
            current = self._asking.get(uri) is asyncio.current_task()
            if current:
                del self._asking[uri]
        known = isinstance(answer, ResolvedModel)
        now = self._clock()
        away = isinstance(answer, Unresolved) and answer.reason is Reason.REGISTRY_UNAVAILABLE
        self._failures = self._failures + 1 if away else 0
        slow = now - began >= SLOW * self._settings.registry_timeout_seconds
        in_vain = away and (slow or self._failures >= FAILURES)
        self._silence = _Remembered(answer, now + REMEMBER_FAILURE_SECONDS) if in_vain else None
        self._remembered = {key: old for key, old in self._remembered.items() if old.until > now}
        period = self._period(uri)
        remember = period if known else min(period, REMEMBER_FAILURE_SECONDS)
        if current:
            self._remembered[uri] = _Remembered(answer, now + remember)
        return answer

    def close(self) -> None:
        """Let the threads go; a question under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
