"""Deliveries of MLflow's webhooks: signed by MLflow's own code, sent over HTTP, believed only as a reason to ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from mlflow.webhooks import delivery as theirs

from ferryman import delivery, webhook
from localcluster import controlplane

SECRET = "a-secret-of-the-test"
NOW = 1_800_000_000.0


def event(entity: str = "model_version_alias", **data: object) -> bytes:
    told = {"name": "fraud", "alias": "champion", "version": "8", **data}
    return json.dumps({"entity": entity, "action": "created", "timestamp": "", "data": told}).encode()


def signed(body: bytes, *, secret: str = SECRET, at: float = NOW) -> dict[str, str]:
    """Return the headers that MLflow sends with a body."""
    timestamp = str(int(at))
    signature = theirs._generate_hmac_signature(secret, "d-1", timestamp, body.decode())
    return {delivery.SIGNATURE: signature, delivery.TIMESTAMP: timestamp, delivery.DELIVERY: "d-1"}


@asynccontextmanager
async def listening(receiver: webhook.Receiver) -> AsyncIterator[httpx.AsyncClient]:
    [port] = controlplane.free_ports(1)
    async with (
        webhook.serving(port, receiver),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def acting() -> tuple[webhook.Receiver, list[str]]:
    receiver, heard = webhook.Receiver(SECRET, lambda: NOW), list[str]()
    receiver.heard = heard.append
    return receiver, heard


async def post(body: bytes, headers: dict[str, str]) -> tuple[httpx.Response, list[str]]:
    receiver, heard = acting()
    async with listening(receiver) as mlflow:
        return await mlflow.post(webhook.PATH, content=body, headers=headers), heard


async def test_a_moved_alias_is_heard() -> None:
    answer, heard = await post(event(), signed(event()))

    assert (answer.status_code, heard) == (204, ["fraud"])


@pytest.mark.parametrize(
    ("what", "headers"),
    [
        ("no signature", {}),
        ("another secret", signed(event(), secret="another")),
        ("another body", signed(event(name="iris"))),
        ("a delivery of six minutes ago", signed(event(), at=NOW - 360)),
        ("a delivery from the future", signed(event(), at=NOW + 360)),
        (
            "another timestamp than the signed one",
            signed(event(), at=NOW - 360) | {delivery.TIMESTAMP: str(int(NOW))},
        ),
        ("another delivery's id", signed(event()) | {delivery.DELIVERY: "d-2"}),
    ],
)
async def test_what_mlflow_did_not_send_just_now_is_refused(what: str, headers: dict[str, str]) -> None:
    answer, heard = await post(event(), headers)

    assert (answer.status_code, heard) == (401, []), what
    assert SECRET not in answer.text


async def test_without_a_secret_nobody_is_believed() -> None:
    """A Secret whose key is empty would else let anybody sign."""
    receiver, heard = webhook.Receiver("", lambda: NOW), list[str]()
    receiver.heard = heard.append
    async with listening(receiver) as anybody:
        answer = await anybody.post(webhook.PATH, content=event(), headers=signed(event(), secret=""))

    assert (answer.status_code, heard) == (401, [])


@pytest.mark.parametrize("header", [delivery.SIGNATURE, delivery.TIMESTAMP, delivery.DELIVERY])
async def test_headers_that_are_no_text_are_refused_like_any_other(header: str) -> None:
    receiver, heard = acting()
    async with listening(receiver) as anybody:
        headers = {name: value.encode() for name, value in signed(event()).items()} | {header: b"\x9b\xff"}
        answer = await anybody.post(webhook.PATH, content=event(), headers=headers)

    assert (answer.status_code, heard) == (401, [])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"entity": 1}', b"\xff", event(name=""), event(name=["a"])])
async def test_a_genuine_delivery_that_is_no_event_is_called_so(body: bytes) -> None:
    headers = {
        delivery.TIMESTAMP: str(int(NOW)),
        delivery.DELIVERY: "d",
        delivery.SIGNATURE: delivery.signature(SECRET, "d", str(int(NOW)), body),
    }
    answer, heard = await post(body, headers)

    assert (answer.status_code, heard) == (400, [])


async def test_news_of_prompts_is_taken_and_passed_to_nobody() -> None:
    body = event("prompt_alias")

    answer, heard = await post(body, signed(body))

    assert (answer.status_code, heard) == (204, [])


async def test_a_body_without_end_is_refused() -> None:
    body = event(name="n" * (webhook.MOST_BYTES + 1))

    answer, heard = await post(body, signed(body))

    assert (answer.status_code, heard) == (413, [])


async def test_an_operator_that_stands_by_sends_mlflow_away_to_come_back_on_another_connection() -> None:
    receiver, _ = acting()
    receiver.heard = None
    async with listening(receiver) as mlflow:
        answer = await mlflow.post(webhook.PATH, content=event(), headers=signed(event()))

    assert answer.status_code == 503
    assert answer.headers["connection"] == "close"


async def test_nothing_else_is_answered() -> None:
    async with listening(acting()[0]) as client:
        assert (await client.get(webhook.PATH)).status_code == 405
        assert (await client.post("/", content=b"")).status_code == 404
