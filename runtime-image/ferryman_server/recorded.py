"""Requests that clients once made, asked again before any client waits: a file with one JSON body a line.

The bodies are those of V1, of V2 and of MLflow's `/invocations`, as they came. Each goes through the whole
application, in the model's own thread, so that the way of a request is warm afterwards, and not the model alone; its
status and its words are those that a client would get. Metrics do not count it.

What the model does not take is named by its line and passed over: a recording may hold what was wrong then. What it
fails on, or a file of which it takes nothing, stops the start: clients would meet the same.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Coroutine, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from ferryman_server import log, metrics
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.guest import Asked, Told, TurnedDownError
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import Schema
from ferryman_server.reason import FatalError, Reason, first_line
from ferryman_server.rest import app, predictions
from ferryman_server.rest.message import Request
from ferryman_server.serving import Phase, Serving
from ferryman_server.settings import Settings

NAME = "warmup.jsonl"
MOST = 1000
"""Requests of a file that are asked; as many as TensorFlow Serving takes."""
LONGEST = 30.0
"""Seconds after which no further one is asked: the pod has traffic to take."""
_PLACES = (NAME, f"assets.extra/{NAME}", f"extra_files/{NAME}")  # where SavedModels and MLflow put what is not theirs
_NAMED = 5

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Replay:
    """What came of a recording: how long each answered request took, the last answer, and how many were refused."""

    seconds: list[float] = field(default_factory=list)
    answer: Answer = field(default_factory=dict)
    refused: int = 0


def find(root: Path, wanted: Path | None, name: str) -> Path | None:
    """The file that was asked for, or the one beside the model."""
    if wanted is not None:
        if not wanted.is_file():
            raise _failed(
                name, f'FERRYMAN_WARMUP_FILE names "{wanted}", which is no file; mount it, or leave it out.'
            )
        return wanted
    directory = root.parent if root.is_file() else root
    return next((directory / place for place in _PLACES if (directory / place).is_file()), None)


def replay(recording: Path, model: Model, requests: int, name: str) -> Replay:
    """Ask each line once, and go round until `requests` are answered."""
    told = Replay()
    door = _Door(model, name)
    good: list[bytes] = []
    ends = time.monotonic() + LONGEST
    with recording.open("rb") as file:
        lines = ((at, line) for at, line in enumerate(file, start=1) if line.strip())
        for asked, (at, line) in enumerate(lines):
            if asked == MOST or (asked and time.monotonic() > ends):
                log.line(
                    f'Model "{name}" is warm enough: line {at} of {recording.name} and those after it are not asked'
                )
                break
            if _asked(door, line, told, f"Line {at} of {recording.name}", name) and len(good) < requests:
                good.append(line)
    if not good:
        fact = (
            "has no request" if not told.refused else f"has no request that it takes, {told.refused} that it refuses"
        )
        raise _failed(name, f"{recording.name} {fact}; record the requests of this model's clients.")
    if told.refused:
        log.line(f'Model "{name}" refused {told.refused} of the requests in {recording.name}')
    while len(told.seconds) < requests and time.monotonic() < ends:
        _asked(door, good[len(told.seconds) % len(good)], told, f"A line of {recording.name}", name)
    return told


def rows(recording: Path, schema: Schema, name: str) -> list[Rows]:
    """What a model with this schema would be asked; lines that it would refuse are left out."""
    kept: list[Rows] = []

    def keep(asked: Rows) -> Answer:
        kept.append(asked)
        return {"predict": np.zeros(asked.count)}

    door = _Door(Model("", schema, keep), name)
    with recording.open("rb") as file:
        for line in itertools.islice((line for line in file if line.strip()), MOST):
            door.ask(line)
    return kept


def _asked(door: "_Door", line: bytes, told: Replay, where: str, name: str) -> bool:
    """Whether the model answered."""
    began = time.perf_counter()
    status, words = door.ask(line)
    if status < 400:
        told.seconds.append(time.perf_counter() - began)
        told.answer = door.plane.answer
        return True
    if status >= 500:
        raise _failed(
            name, f"{where} fails: {door.plane.failure or words}; check it with the server's package versions."
        )
    told.refused += 1
    if told.refused <= _NAMED:
        log.line(f'Model "{name}": {where[0].lower()}{where[1:]} is not asked: {words}')
    return False


class _Here(DataPlane):
    """A data plane without a queue: the model is asked where the request is read, in its own thread."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.guest = model.guest
        self.answer: Answer = {}
        self.failure = ""

    def at_once(self, rows: Rows) -> Answer:
        """The answer."""
        with self._failing():
            self.answer = self.model.predict(rows)
        return self.answer

    async def predict(self, rows: Rows) -> Answer:
        """The same."""
        return self.at_once(rows)

    async def ask(self, asked: Asked) -> Told:
        """The answer of a model that reads requests for itself: it has its own words, and no outputs that we know."""
        assert self.guest is not None
        with self._failing():
            return self.guest.answer(asked)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What is neither an answer nor a refusal is kept, for nobody else will read it."""
        try:
            yield
        except TurnedDownError:
            raise
        except (ValueError, InvalidInputError) as error:
            raise InvalidInputError(first_line(error)) from error
        except Exception as error:
            self.failure = f"{type(error).__name__}: {first_line(error)}"
            raise


class _Door:
    """The application around a model that is not served yet."""

    def __init__(self, model: Model, name: str) -> None:
        self.plane = _Here(model)
        self._name = name
        serving = Serving(Settings(name), Phase.READY, self.plane)
        self._routes = predictions.routes(serving)
        self._app = app.App(serving, metrics.Metrics(metrics.Identity(name, "", "")))

    def ask(self, body: bytes) -> tuple[int, str]:
        """The status, and the sentence of a refusal."""
        path = self._path(body)
        if self.plane.guest is not None:  # it has a loop of its own, and is asked without ours: nobody waits for it
            asked = predictions.predict(self._routes[path], Request("POST", path, {}, body), self.plane, "")
            response = _finish(asked)
            return _told(response.status, response.body)
        sent: list[MutableMapping[str, Any]] = []
        came = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            if came:
                return came.pop()
            await asyncio.Event().wait()  # nobody hangs up
            raise AssertionError("an event that nobody sets was set")

        async def send(event: MutableMapping[str, Any]) -> None:
            sent.append(event)

        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        _finish(self._app(scope, receive, send))
        return _told(sent[0]["status"], sent[1]["body"])

    def _path(self, body: bytes) -> str:
        """By what the body holds; a body that is nobody's is V1's to refuse."""
        try:
            match msgspec.json.decode(body):
                case {"inputs": [{"datatype": _}, *_]}:
                    return f"/v2/models/{self._name}/infer"
                case {"dataframe_split": _} | {"dataframe_records": _}:
                    return "/invocations"
                case _:
                    pass
        except (msgspec.DecodeError, RecursionError):
            pass
        return f"/v1/models/{self._name}:predict"


def _told(status: int, body: bytes) -> tuple[int, str]:
    return status, "" if status < 400 else str(msgspec.json.decode(body)["error"])


def _finish(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run what has nothing to wait for: the model is asked in this very thread, which has no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    raise AssertionError("a request waited for something, and nobody else is there")


def _failed(name: str, fact: str) -> FatalError:
    return FatalError(Reason.WARMUP_FAILED, f'Model "{name}" cannot be warmed up: {fact}')
