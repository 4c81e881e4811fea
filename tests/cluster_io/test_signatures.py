"""Signatures as MLflow's own tracking server hands them out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from tracking import registered

from ferryman.api.revision import ResolvedModel
from ferryman.registry.answers import Registry
from ferryman.registry.signatures import REMEMBER_FAILURE_SECONDS, Signatures, read
from ferryman.rollout.compatibility import Signature, Value
from ferryman.settings import Settings

INPUTS = [
    {"name": "amount", "type": "double", "required": True},
    {"name": "hour", "type": "long", "required": False},
    {"name": "basket", "type": "array", "items": {"type": "string"}, "required": True},
]
OUTPUTS = [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]
READ = Signature(
    (
        Value("amount", "double"),
        Value("hour", "long", required=False),
        Value("basket", 'array {"items":{"type":"string"}}'),
    ),
    (Value("", "int64 [-1]"),),
)


READ_BASKET = 'basket: array {"items":{"type":"string"}}'
FLAVORS = ["python_function", "sklearn 1.9.1"]


async def test_a_signature_and_a_release_come_from_the_registry(tracking: MlflowClient, tmp_path: Path) -> None:
    signature = {"inputs": json.dumps(INPUTS), "outputs": json.dumps(OUTPUTS), "params": None}
    uri = registered(tracking, "signed", tmp_path, signature, version="v2.1.0")
    settings = Settings(tracking_uri=tracking.tracking_uri)
    signatures, registry = Signatures(settings, time.monotonic), Registry(settings, time.monotonic)

    assert await signatures.of(uri) == READ
    resolved = await registry.resolve(uri)
    assert isinstance(resolved, ResolvedModel)
    described = await signatures.described(resolved)

    signatures.close()
    registry.close()
    assert described.inputs == ["amount: double", "hour: long (optional)", READ_BASKET]
    assert described.outputs == ["int64 [-1]"]
    assert described.flavors == FLAVORS
    assert resolved.tags == {"version": "v2.1.0"}
    assert resolved.release == "v2.1.0"
    assert resolved.registered is not None
    assert abs(resolved.registered.timestamp() - time.time()) < 600


async def test_a_version_without_a_signature_says_nothing(tracking: MlflowClient, tmp_path: Path) -> None:
    signatures = Signatures(Settings(tracking_uri=tracking.tracking_uri), time.monotonic)

    assert await signatures.of(registered(tracking, "signed", tmp_path, None)) is None
    assert await signatures.of("s3://models/1") is None
    assert await signatures.of("models:/signed@champion") is None
    signatures.close()


async def test_a_version_breaks_nothing_for_its_own_callers_whatever_is_known_of_it() -> None:
    signatures = Signatures(Settings(), time.monotonic)
    same = ResolvedModel(uri="models:/signed/1", requested="models:/signed@champion", version="1")
    other = ResolvedModel(uri="models:/signed/2", requested="models:/signed@champion", version="2")
    plain = ResolvedModel(uri="s3://models/1", requested="s3://models/1")

    assert await signatures.breaks(same, same.model_copy(update={"requested": "models:/signed/1"})) == ()
    assert await signatures.breaks(same, other) is None
    assert await signatures.breaks(plain, plain) is None
    signatures.close()


async def test_what_cannot_be_had_is_not_asked_for_at_every_look(
    tracking: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    now = [0.0]

    def away(*_: Any) -> bytes | None:
        asked.append(now[0])
        raise ConnectionError("the store is away")

    monkeypatch.setattr("ferryman.registry.client.get", away)
    signatures = Signatures(Settings(tracking_uri=tracking.tracking_uri), lambda: now[0])

    for moment in (1.0, 2.0, 3.0, REMEMBER_FAILURE_SECONDS, REMEMBER_FAILURE_SECONDS + 2):
        now[0] = moment
        assert await signatures.of("models:/signed/99") is None

    signatures.close()
    assert asked == [1.0, 2.0, REMEMBER_FAILURE_SECONDS + 2]


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"signature: 7", b"signature: {inputs: 7}", b"signature: {inputs: '[1, 2]'}"]
)
def test_a_file_of_another_shape_says_nothing(said: bytes) -> None:
    found = read(said)

    assert (found.flavors, found.signature) in (((), None), ((), Signature()))
