"""Which bytes a model URI means now.

A plain location means itself. A `models:/` name is asked of the registry, in a thread, with a short timeout; answers
are remembered for the polling period, failures for a few seconds, and one question is never under way twice. That the
registry is away or does not know the name is an expected answer, and so a value. While it keeps those who ask waiting
in vain, one question at a time finds out whether it is back, and all others have that answer at once.
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
        client.prepare(settings.registry_timeout_seconds)

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
        if asking is None and silence is not None and (self._asking or self._clock() < silence.until):
            return silence.answer
        if asking is None:
            asking = asyncio.create_task(self._ask(uri, name), name=f"resolve {uri}")
            self._asking[uri] = asking
        return await asyncio.shield(asking)

    def forget(self, model: str) -> None:
        """Ask again for a registered model at the next question: it is not what it was."""

        def of_model(uri: str) -> bool:
            named = reference.registry_reference(uri)
            return named is not None and named.name == model

        self._remembered = {uri: old for uri, old in self._remembered.items() if not of_model(uri)}
        # a question under way may already have read what is old; who waits for it gets that, who comes gets a new one
        self._asking = {uri: task for uri, task in self._asking.items() if not of_model(uri)}

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
        period = self._settings.registry_poll_seconds
        now = self._clock()
        away = isinstance(answer, Unresolved) and answer.reason is Reason.REGISTRY_UNAVAILABLE
        in_vain = away and now - began >= SLOW * self._settings.registry_timeout_seconds
        self._silence = _Remembered(answer, now + REMEMBER_FAILURE_SECONDS) if in_vain else None
        self._remembered = {key: old for key, old in self._remembered.items() if old.until > now}
        remember = period if known else min(period, REMEMBER_FAILURE_SECONDS)
        if current:
            self._remembered[uri] = _Remembered(answer, now + remember)
        return answer

    def close(self) -> None:
        """Let the threads go; a question under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
