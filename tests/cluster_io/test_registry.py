"""The registry, asked over HTTP: a small server speaks the few answers of MLflow's REST API that matter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster_io.small_mlflow import LOGGED, Mlflow
from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry.answers import Registry
from ferryman.settings import Settings

ROOT = Path(__file__).parents[2]


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


async def test_a_registry_that_nobody_configured_is_told(clock: list[float]) -> None:
    registry = Registry(Settings(), lambda: clock[0])

    answer = await registry.resolve("models:/fraud/7")

    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.REGISTRY_NOT_CONFIGURED
    assert "mlflow.trackingUri" in answer.message


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
