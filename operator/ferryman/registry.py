"""Which bytes a model URI means: the only place that talks to MLflow.

A plain location means itself. A `models:/` name is asked of the registry, in a thread, with a short timeout; answers
are remembered for the polling period, failures for a few seconds, and one question is never under way twice. That the
registry is away or does not know the name is an expected answer, and so a value. While it keeps those who ask waiting
in vain, one question at a time finds out whether it is back, and all others have that answer at once.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ferryman.api import reference
from ferryman.api.conditions import Reason
from ferryman.api.reference import RegistryReference
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.settings import Settings

REMEMBER_FAILURE_SECONDS = 4.0
SLOW = 0.8
"""The part of the timeout after which a failure is taken for silence."""
THREADS = 4

Answer = ResolvedModel | Unresolved


_IMPORTING = threading.Lock()


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
        # MLflow reads these when it asks; its own defaults are minutes of patience.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(max(1, int(settings.registry_timeout_seconds))))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        # It also reports its use to its makers unless told not to.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

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
            question = loop.run_in_executor(self._threads, _look_up, tracking, uri, name)
            answer = await asyncio.wait_for(question, patience)
        except TimeoutError:
            answer = _away(tracking, f"no answer within {patience:g} s")
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


def _mlflow() -> tuple[Any, type[Any]]:
    """Return MLflow's client and its error, in any thread.

    It takes a second and 40 MB to import; an operator that serves only plain locations never pays. Two threads that
    import it at once meet it half made, and it stays so for as long as the process lives.
    """
    with _IMPORTING:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from mlflow.tracking import MlflowClient  # noqa: PLC0415

        return MlflowClient, MlflowException


def _look_up(tracking: str, uri: str, name: RegistryReference) -> Answer:
    """Ask MLflow, from a thread."""
    MlflowClient, MlflowException = _mlflow()  # noqa: N806 they are classes
    client = MlflowClient(tracking_uri=tracking, registry_uri=tracking)
    try:
        if name.logged is not None:
            return _logged(client.get_logged_model(name.logged), uri)
        found = (
            client.get_model_version_by_alias(name.name, name.alias)
            if name.alias is not None
            else client.get_model_version(name.name, str(name.version))
        )
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}:
            return _unknown(client, MlflowException, tracking, name, error)
        return _away(tracking, str(error.message))
    except Exception as error:  # noqa: BLE001 what a broken registry can raise has no end
        return _away(tracking, f"{type(error).__name__}: {error}")
    return ResolvedModel(
        uri=f"models:/{name.name}/{found.version}",
        requested=uri,
        version=str(found.version),
        source=found.source or None,
        run_id=found.run_id or None,
    )


def _logged(model: Any, uri: str) -> ResolvedModel:
    """Return a logged model, which never changes: its id is as good as a version."""
    return ResolvedModel(
        uri=uri, requested=uri, source=model.artifact_location or None, run_id=model.source_run_id or None
    )


def _unknown(client: Any, failure: type[Exception], tracking: str, name: RegistryReference, error: Any) -> Unresolved:
    """Tell a missing version or alias from a missing model."""
    if name.logged is not None:
        return Unresolved(
            Reason.MODEL_NOT_FOUND,
            f'MLflow at {tracking} has no logged model "{name.logged}"; log it, or correct spec.model.uri',
        )
    try:
        client.get_registered_model(name.name)
    except failure as missing:
        if getattr(missing, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            return _away(tracking, str(missing))
        return Unresolved(
            Reason.MODEL_NOT_FOUND,
            f'MLflow at {tracking} has no registered model "{name.name}"; register it, or correct spec.model.uri',
        )
    if name.alias is not None:
        return Unresolved(
            Reason.ALIAS_NOT_FOUND,
            f'model "{name.name}" has no alias "{name.alias}" in MLflow; set it, or correct spec.model.uri',
        )
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return Unresolved(
            Reason.VERSION_NOT_FOUND,
            f'model "{name.name}" has no version {name.version} in MLflow; register it, or correct spec.model.uri',
        )
    return _away(tracking, str(error))


def _away(tracking: str, detail: str) -> Unresolved:
    said = " ".join(detail.split())[:300]
    return Unresolved(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow at {tracking} did not answer ({said}); it is asked again, and what was resolved before serves on",
    )
