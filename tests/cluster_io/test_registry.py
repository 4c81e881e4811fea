"""The registry, asked over HTTP: a small server speaks the few answers of MLflow's REST API that matter."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry.answers import Registry
from ferryman.registry.line import REMEMBER_FAILURE_SECONDS
from ferryman.settings import Settings

ROOT = Path(__file__).parents[2]
MISSING = "RESOURCE_DOES_NOT_EXIST"
LOGGED = "m-" + "0" * 32
"""The id of a model that was logged and never registered."""


class Mlflow:
    """A registry with one model, `fraud`, whose version 7 is the champion."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.champion = "7"
        self.store = "s3://mlflow"
        self.odd: dict[str, object] = {}
        """What its records say beside, or instead."""
        self.down = False
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.asked.append(path)
        if self.down:
            return 500, {"error_code": "INTERNAL_ERROR", "message": "the database is away"}
        if "/logged-models/" in path:
            known = path.endswith(LOGGED)
            info = {
                "model_id": LOGGED,
                "artifact_uri": "s3://mlflow/logged",
                "source_run_id": "r2",
                "experiment_id": "1",
            }
            missing = {"error_code": MISSING, "message": "Logged model not found"}
            return (200, {"model": {"info": info, "data": {}}}) if known else (404, missing)
        if query["name"] != "fraud":
            return 404, {"error_code": MISSING, "message": f"Registered Model with name={query['name']} not found"}
        match path.rsplit("2.0/mlflow/", 1)[-1]:
            case "registered-models/get":
                return 200, {"registered_model": {"name": "fraud"}}
            case "registered-models/alias" if query["alias"] == "champion":
                return 200, {"model_version": self._version(self.champion)}
            case "registered-models/alias":
                message = f"Registered model alias {query['alias']} not found."
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
            case "model-versions/get" if query["version"] == "7":
                return 200, {"model_version": self._version("7")}
            case _:
                return 404, {"error_code": MISSING, "message": "Model Version not found"}

    def _version(self, version: str) -> dict[str, object]:
        said = {"name": "fraud", "version": version, "source": f"{self.store}/{version}", "run_id": "r1"}
        return {**said, **self.odd}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        world = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                status, body = world.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        return Handler


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    world = Mlflow()
    yield world
    world.close()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def registry(mlflow: Mlflow, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    asked = Registry(Settings(tracking_uri=mlflow.url), lambda: clock[0])
    yield asked
    asked.close()


V7 = {"version": "7", "source": "s3://mlflow/7", "location": "s3://mlflow/7", "run_id": "r1"}


async def test_a_plain_location_means_itself(registry: Registry, mlflow: Mlflow) -> None:
    assert await registry.resolve("s3://b/k") == ResolvedModel(uri="s3://b/k", requested="s3://b/k")
    assert mlflow.asked == []


async def test_a_logged_model_is_itself_and_tells_where_it_lies(registry: Registry) -> None:
    uri = f"models:/{LOGGED}"

    answer = await registry.resolve(uri)

    place = "s3://mlflow/logged"
    assert answer == ResolvedModel(uri=uri, requested=uri, source=place, location=place, run_id="r2")


@pytest.mark.parametrize(
    "odd",
    [
        {"creation_timestamp": "9000000000000000000"},
        {"creation_timestamp": "-9000000000000000000"},
        {"user_id": "u" * 100_000},
        {"run_id": "r" * 100_000},
        {"tags": [{"key": "k" * 100_000, "value": "v" * 100_000}]},
    ],
    ids=lambda odd: next(iter(odd)),
)
async def test_an_odd_record_of_a_version_is_a_version_all_the_same(
    registry: Registry, mlflow: Mlflow, odd: dict[str, object]
) -> None:
    mlflow.odd = odd

    found = await registry.resolve("models:/fraud/7")

    assert isinstance(found, ResolvedModel)
    assert found.version == "7"
    assert len(found.model_dump_json()) < 2000, "a status has no room for more"


@pytest.mark.parametrize(
    "odd",
    [{"source": "s3://" + "x" * 100_000}, {"version": "9" * 5000}, {"version": "seven"}],
    ids=["source", "version", "word"],
)
async def test_a_record_that_cannot_be_meant_is_believed_in_nothing(
    registry: Registry, mlflow: Mlflow, odd: dict[str, object]
) -> None:
    mlflow.odd = odd

    found = await registry.resolve("models:/fraud@champion")

    assert isinstance(found, Unresolved)
    assert found.reason is Reason.REGISTRY_UNAVAILABLE
    assert len(found.message) < 500


async def test_a_place_with_a_password_in_it_stands_in_no_status(registry: Registry, mlflow: Mlflow) -> None:
    mlflow.store = "ftp://ml:pl4nted-s3cret@files.example.com"

    found = await registry.resolve("models:/fraud/7")

    assert isinstance(found, ResolvedModel)
    assert found.source == "ftp://(hidden)@files.example.com/7"
    assert found.location is None, "the pods ask the registry, which tells them"


async def test_a_logged_model_that_is_gone_is_not_found(registry: Registry) -> None:
    answer = await registry.resolve("models:/m-" + "1" * 32)

    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.MODEL_NOT_FOUND
    assert "m-1111" in answer.message


async def test_news_of_a_model_makes_the_next_question_a_new_one(registry: Registry, mlflow: Mlflow) -> None:
    await registry.resolve("models:/fraud@champion")
    mlflow.champion = "8"
    registry.forget("iris")
    before = await registry.resolve("models:/fraud@champion")

    registry.forget("fraud")

    after = await registry.resolve("models:/fraud@champion")
    assert isinstance(before, ResolvedModel)
    assert isinstance(after, ResolvedModel)
    assert (before.version, after.version) == ("7", "8")


async def test_an_answer_that_was_under_way_when_news_came_is_not_remembered(
    registry: Registry, mlflow: Mlflow
) -> None:
    old = asyncio.create_task(registry.resolve("models:/fraud@champion"))
    await asyncio.sleep(0)  # it is being asked

    registry.forget("fraud")
    await old
    mlflow.champion = "8"

    after = await registry.resolve("models:/fraud@champion")
    assert isinstance(after, ResolvedModel)
    assert after.version == "8"


async def test_a_version_and_an_alias_are_resolved(registry: Registry) -> None:
    version = await registry.resolve("models:/fraud/7")
    alias = await registry.resolve("models:/fraud@champion")

    assert version == ResolvedModel(uri="models:/fraud/7", requested="models:/fraud/7", **V7)
    assert alias == ResolvedModel(uri="models:/fraud/7", requested="models:/fraud@champion", **V7)


@pytest.mark.parametrize(
    ("uri", "reason", "message"),
    [
        ("models:/other/1", Reason.MODEL_NOT_FOUND, 'has no registered model "other"'),
        ("models:/other@champion", Reason.MODEL_NOT_FOUND, 'has no registered model "other"'),
        ("models:/fraud/9", Reason.VERSION_NOT_FOUND, 'model "fraud" has no version 9 in MLflow'),
        ("models:/fraud@best", Reason.ALIAS_NOT_FOUND, 'model "fraud" has no alias "best" in MLflow'),
    ],
)
async def test_what_is_missing_is_told_apart(registry: Registry, uri: str, reason: Reason, message: str) -> None:
    answer = await registry.resolve(uri)

    assert isinstance(answer, Unresolved)
    assert answer.reason is reason
    assert message in answer.message


async def test_an_answer_is_remembered_until_two_polls_have_been_missed(
    registry: Registry, mlflow: Mlflow, clock: list[float]
) -> None:
    await registry.resolve("models:/fraud@champion")
    mlflow.champion = "8"
    clock[0] = 59.0
    before = await registry.resolve("models:/fraud@champion")
    clock[0] = 61.0
    after = await registry.resolve("models:/fraud@champion")

    assert [getattr(answer, "version", None) for answer in (before, after)] == ["7", "8"]
    assert len(mlflow.asked) == 2


async def test_a_failure_is_remembered_for_a_few_seconds_only(
    registry: Registry, mlflow: Mlflow, clock: list[float]
) -> None:
    mlflow.down = True
    away = await registry.resolve("models:/fraud/7")
    mlflow.down = False
    clock[0] = 5.0
    back = await registry.resolve("models:/fraud/7")

    assert isinstance(away, Unresolved)
    assert away.reason is Reason.REGISTRY_UNAVAILABLE
    assert isinstance(back, ResolvedModel)


async def test_many_who_ask_the_same_ask_once(registry: Registry, mlflow: Mlflow) -> None:
    answers = await asyncio.gather(*(registry.resolve("models:/fraud/7") for _ in range(20)))

    assert len({answer.model_dump_json() for answer in answers if isinstance(answer, ResolvedModel)}) == 1
    assert len(mlflow.asked) == 1


async def test_a_registry_that_is_away_is_told_quickly(clock: list[float], unanswered: Callable[[], str]) -> None:
    registry = Registry(Settings(tracking_uri=unanswered(), registry_timeout_seconds=1), lambda: clock[0])

    async with asyncio.timeout(10):
        answer = await registry.resolve("models:/fraud/7")

    registry.close()
    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.REGISTRY_UNAVAILABLE


async def test_a_registry_that_keeps_one_waiting_in_vain_keeps_no_other_waiting(
    unanswered: Callable[[], str],
) -> None:
    ahead = [0.0]
    settings = Settings(tracking_uri=unanswered(), registry_timeout_seconds=1)
    registry = Registry(settings, lambda: time.monotonic() + ahead[0])
    await registry.resolve("models:/fraud/7")

    began = time.monotonic()
    answers = [await registry.resolve(f"models:/churn-{number}/1") for number in range(100)]
    assert time.monotonic() - began < 0.5
    assert {answer.reason for answer in answers if isinstance(answer, Unresolved)} == {Reason.REGISTRY_UNAVAILABLE}

    ahead[0] = REMEMBER_FAILURE_SECONDS + 1
    probe = asyncio.create_task(registry.resolve("models:/fraud/8"))
    await asyncio.sleep(0)
    await asyncio.wait_for(registry.resolve("models:/churn/1"), 0.5)
    assert not probe.done(), "one question is under way, and only one"
    await probe
    registry.close()


async def test_a_registry_that_is_back_is_asked_by_all_again(mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("ferryman.registry.line.SLOW", 0.0)  # whatever fails is taken for silence
    ahead = [0.0]
    registry = Registry(Settings(tracking_uri=mlflow.url), lambda: time.monotonic() + ahead[0])
    mlflow.down = True
    await registry.resolve("models:/fraud/7")
    mlflow.down = False
    asked = len(mlflow.asked)
    await registry.resolve("models:/fraud@champion")
    assert len(mlflow.asked) == asked, "it is left alone for a while"

    ahead[0] = REMEMBER_FAILURE_SECONDS + 1
    answers = [await registry.resolve(uri) for uri in ("models:/fraud/7", "models:/fraud@champion")]

    registry.close()
    assert all(isinstance(answer, ResolvedModel) for answer in answers)


async def test_a_registry_that_nobody_configured_is_told(clock: list[float]) -> None:
    registry = Registry(Settings(), lambda: clock[0])

    answer = await registry.resolve("models:/fraud/7")

    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.REGISTRY_NOT_CONFIGURED
    assert "mlflow.trackingUri" in answer.message


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A port that takes connections and never answers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield lambda: f"http://127.0.0.1:{listening.getsockname()[1]}"


MANY_AT_ONCE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from ferryman.registry import questions
from ferryman.api.reference import RegistryReference

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("mlflow"):
            time.sleep(0.005)  # a slow disk

sys.meta_path.insert(0, Slow())

def ask(version):
    time.sleep(version * 0.2)  # while others are in the middle of it
    return questions.look_up("http://127.0.0.1:9", f"models:/m/{version}", RegistryReference("m", str(version), None))

with ThreadPoolExecutor(8) as pool:
    for answer in pool.map(ask, range(1, 9)):
        print(answer.message)
"""


def test_the_first_questions_of_an_operator_that_was_started_anew_may_come_all_at_once() -> None:
    """Each imported MLflow for itself, met it half made, and the registry was unavailable until the next restart."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}

    done = subprocess.run(
        [sys.executable, "-c", MANY_AT_ONCE], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8
    assert "partially initialized" not in done.stdout
