"""A registry that is down, slow, or answers with what nobody asked for: said in a sentence, soon, and forgotten."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.server
import json
import logging
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Tag, Unresolved
from ferryman.registry import client, scribe
from ferryman.registry.answers import Registry
from ferryman.registry.line import REMEMBER_FAILURE_SECONDS
from ferryman.registry.secrecy import HIDDEN
from ferryman.registry.signatures import Signatures
from ferryman.settings import Settings

TIMEOUT = 1.0
HUGE = 100 * 1024 * 1024
PIECE = b" " * 65536


def packed_small(size: int) -> bytes:
    """Return far fewer bytes that are so many when unpacked."""
    packing = zlib.compressobj(wbits=31)
    return b"".join([*(packing.compress(PIECE) for _ in range(size // len(PIECE))), packing.flush()])


BOMB = packed_small(HUGE)
VERSION = {"model_version": {"name": "fraud", "version": "7", "source": "s3://mlflow/7", "run_id": "r1"}}

Handler = http.server.BaseHTTPRequestHandler


def well(handler: Handler) -> None:
    send(handler, 200, json.dumps(VERSION).encode())


def in_pieces(handler: Handler) -> None:
    begin(handler, {"Transfer-Encoding": "chunked"})
    for byte in json.dumps(VERSION).encode():
        handler.wfile.write(b"1\r\n" + bytes([byte]) + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def packed(handler: Handler) -> None:
    send(handler, 200, gzip.compress(json.dumps(VERSION).encode()), {"Content-Encoding": "gzip"})


def broken(handler: Handler) -> None:
    send(handler, 500, b'{"error_code": "INTERNAL_ERROR", "message": "the database is away"}')


def refusing(handler: Handler) -> None:
    send(handler, 401, b"You are not authenticated.", {"Content-Type": "text/plain"})


def echoing(handler: Handler) -> None:
    send(
        handler, 403, f"no such account: {handler.headers['Authorization']}".encode(), {"Content-Type": "text/plain"}
    )


def a_page(handler: Handler) -> None:
    send(handler, 200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})


def nothing(handler: Handler) -> None:
    handler.close_connection = True


def empty(handler: Handler) -> None:
    send(handler, 200, b"")


def something_else(handler: Handler) -> None:
    send(handler, 200, b"[1, 2]")


def somebody_else(handler: Handler) -> None:
    send(handler, 200, json.dumps(VERSION).replace("fraud", "iris").encode())


def slow(handler: Handler) -> None:
    handler.server.stopped.wait(60)  # type: ignore[attr-defined]


def dripping(handler: Handler) -> None:
    begin(handler, {"Content-Length": "1000"})
    while not handler.server.stopped.wait(0.2):  # type: ignore[attr-defined]
        handler.wfile.write(b" ")


def dripping_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.stopped.wait(0.2):  # type: ignore[attr-defined]
        handler.wfile.write(b"a")


def going_on(handler: Handler) -> None:
    while not handler.server.stopped.wait(0.2):  # type: ignore[attr-defined]
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def huge(handler: Handler) -> None:
    begin(handler, {"Content-Length": str(HUGE)})
    for _ in range(HUGE // len(PIECE)):
        handler.wfile.write(PIECE)


def huge_when_unpacked(handler: Handler) -> None:
    send(handler, 200, BOMB, {"Content-Encoding": "gzip"})


def begin(handler: Handler, headers: dict[str, str]) -> None:
    handler.send_response(200)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def send(handler: Handler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


class Ill:
    """A registry with a way of answering."""

    def __init__(self) -> None:
        self.way: Callable[[Handler], None] = well
        world = self

        class Answers(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(OSError):
                    world.way(self)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.stopped = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.stopped.set()  # type: ignore[attr-defined]
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ill() -> Iterator[Ill]:
    world = Ill()
    yield world
    world.close()


@pytest.fixture
def ahead() -> list[float]:
    return [0.0]


@pytest.fixture
def registry(ill: Ill, ahead: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("TIMEOUT", "MAX_RETRIES"):
        monkeypatch.delenv(f"MLFLOW_HTTP_REQUEST_{name}", raising=False)
    client.connected(ill.url)  # to import MLflow may take longer than an answer
    settings = Settings(tracking_uri=ill.url, registry_timeout_seconds=TIMEOUT)
    asked = Registry(settings, lambda: time.monotonic() + ahead[0])
    yield asked
    asked.close()


@pytest.mark.parametrize("way", [well, in_pieces, packed])
async def test_an_answer_is_read_however_it_comes(registry: Registry, ill: Ill, way: Callable[[Handler], None]):
    ill.way = way

    answer = await registry.resolve("models:/fraud@champion")

    assert isinstance(answer, ResolvedModel)
    assert answer.version == "7"


# that a thread says it itself, and not who waited for it, tells that it is free again
@pytest.mark.parametrize(
    ("way", "said"),
    [
        (broken, "500"),
        (refusing, "refuses the operator's account"),
        (a_page, ""),
        (nothing, ""),
        (empty, "an answer that does not speak of models:/fraud@champion"),
        (something_else, ""),
        (somebody_else, "an answer that does not speak of models:/fraud@champion"),
        (slow, "API request to"),
        (dripping, "takes more than 1 s"),
        (dripping_headers, "API request to"),
        (going_on, "API request to"),
        (huge, "more than 4 MiB"),
        (huge_when_unpacked, "more than 4 MiB"),
    ],
)
async def test_an_ill_registry_is_told_soon_costs_little_and_is_found_well_again(
    registry: Registry, ill: Ill, ahead: list[float], way: Callable[[Handler], None], said: str
):
    await registry.resolve("models:/fraud/1")  # all that MLflow needs to ask is there
    tracemalloc.start()
    ill.way, began = way, time.monotonic()

    away = await registry.resolve("models:/fraud@champion")

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(away, Unresolved)
    assert away.reason is Reason.REGISTRY_UNAVAILABLE
    assert said in away.message
    assert len(away.message) < 600
    assert time.monotonic() - began < TIMEOUT + 3
    assert most < 32 * 1024 * 1024

    ill.way, ahead[0] = well, REMEMBER_FAILURE_SECONDS + 1
    assert isinstance(await registry.resolve("models:/fraud@champion"), ResolvedModel)


@pytest.mark.parametrize(
    "account",
    [
        {"MLFLOW_TRACKING_TOKEN": "planted-token-0451"},
        {"MLFLOW_TRACKING_USERNAME": "operator", "MLFLOW_TRACKING_PASSWORD": "planted-password-0451"},
    ],
)
async def test_a_registry_that_says_its_callers_credentials_aloud_is_not_repeated(
    registry: Registry,
    ill: Ill,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    account: dict[str, str],
):
    caplog.set_level(logging.DEBUG)
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    ill.way = echoing
    settings = Settings(tracking_uri=ill.url)
    client.introduce(settings)
    signatures = Signatures(settings, time.monotonic)

    away = await registry.resolve("models:/fraud@champion")
    await registry.aliases(None)
    await signatures.of("models:/fraud/7")
    refused = scribe._write(ill.url, Tag("fraud", "7", "k", "v"), None)

    signatures.close()
    client.introduce(Settings())
    assert isinstance(away, Unresolved)
    assert refused is not None
    everything = " ".join([away.message, refused.message, caplog.text])
    assert HIDDEN in away.message
    for secret in ("planted", base64.b64encode(b"operator:planted-password-0451").decode()):
        assert secret not in everything


def test_an_address_with_a_password_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="must not carry a user or password"):
        Settings(tracking_uri="https://me:planted-password-0451@mlflow.example.com/mlflow")
