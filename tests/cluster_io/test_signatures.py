"""Signatures as MLflow's own tracking server hands them out."""

from __future__ import annotations

import json
import time
import tracemalloc
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


async def test_where_the_files_of_a_logged_model_lie_is_known_of_its_version(tracking: MlflowClient) -> None:
    logged = tracking.create_logged_model("0", "located")
    tracking.create_registered_model("located")
    tracking.create_model_version("located", f"models:/{logged.model_id}", model_id=logged.model_id)
    registry = Registry(Settings(tracking_uri=tracking.tracking_uri), time.monotonic)

    version, itself = [await registry.resolve(f"models:/{of}") for of in ("located/1", logged.model_id)]

    registry.close()
    assert isinstance(version, ResolvedModel)
    assert isinstance(itself, ResolvedModel)
    assert version.source == f"models:/{logged.model_id}"
    assert version.location == itself.location == logged.artifact_location


@pytest.mark.parametrize(
    ("said", "pinned"), [("sha256:" + "a" * 64, "sha256:" + "a" * 64), ("sha256:a", None), ("md5:" + "a" * 32, None)]
)
async def test_the_digest_that_a_version_is_tagged_with_is_what_pods_verify(
    tracking: MlflowClient, tmp_path: Path, said: str, pinned: str | None
) -> None:
    uri = registered(tracking, "sealed", tmp_path, None, digest=said)
    registry = Registry(Settings(tracking_uri=tracking.tracking_uri), time.monotonic)

    found = await registry.resolve(uri)

    registry.close()
    assert isinstance(found, ResolvedModel)
    assert found.digest == pinned


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


async def test_a_404_of_a_proxy_is_no_answer_for_ever(
    tracking: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = registered(tracking, "behind", tmp_path, {"inputs": json.dumps(INPUTS)})
    now = [0.0]
    signatures = Signatures(Settings(tracking_uri=tracking.tracking_uri), lambda: now[0])
    with monkeypatch.context() as upgrade:
        upgrade.setattr("ferryman.registry.client.get", lambda *_: None)
        assert await signatures.of(uri) is None

    now[0] = REMEMBER_FAILURE_SECONDS + 1

    found = await signatures.of(uri)
    signatures.close()
    assert found is not None
    assert found.inputs == READ.inputs


def test_a_file_whose_parts_stand_for_each_other_costs_no_more_than_its_length() -> None:
    levels = "\n".join(f"  - &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 9))
    bomb = f"x:\n  - &l0 [{', '.join(['lol'] * 9)}]\n{levels}\n"

    for place in ("signature: {inputs: *l8}", "flavors: {sklearn: {sklearn_version: *l8}}"):
        tracemalloc.start()
        found = read(f"{bomb}{place}".encode())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert most < 1024 * 1024
        assert found.signature in {None, Signature()}
        assert found.flavors in {(), ("sklearn",)}


@pytest.mark.parametrize("file", [b"x: " + b"[" * 100_000, b"x: [" + b"1, " * 50_000 + b"1]"], ids=["deep", "wide"])
def test_a_file_that_takes_more_to_read_than_it_is_long_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match="too many parts, or too deep"):
        read(file)


def test_what_an_older_mlflow_called_optional_is_not_needed() -> None:
    said = [{"name": "hour", "type": "long", "optional": True}, {"name": "day", "type": "long", "optional": False}]

    found = read(json.dumps({"signature": {"inputs": json.dumps(said)}}).encode()).signature

    assert found == Signature((Value("hour", "long", required=False), Value("day", "long")))


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"signature: 7", b"signature: {inputs: 7}", b"signature: {inputs: '[1, 2]'}"]
)
def test_a_file_of_another_shape_says_nothing(said: bytes) -> None:
    found = read(said)

    assert (found.flavors, found.signature) in (((), None), ((), Signature()))
