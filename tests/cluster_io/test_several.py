"""Several tracking servers: each asked for its own models, with an account of its own."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator

import pytest

from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelSource
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import client
from ferryman.registry.several import Registries
from ferryman.settings import Settings

OWN, THEIRS = "planted-own-0451", "planted-theirs-0451"


class Server:
    """A tracking server in which every alias stands for one version."""

    def __init__(self, version: str) -> None:
        self.shown: list[str | None] = []
        body = json.dumps({"model_version": {"name": "fraud", "version": version, "source": "s3://m"}}).encode()
        shown = self.shown

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shown.append(self.headers["Authorization"])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, ...]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", OWN)
    made = tuple(Server(version) for version in ("1", "2", "3"))
    client.connected(made[0].url)  # to import MLflow may take longer than an answer
    yield made
    for server in made:
        server.close()
    client.introduce(Settings())


@pytest.fixture
def registries(servers: tuple[Server, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[Registries]:
    own, theirs, open_to_all = servers
    monkeypatch.setenv("FERRYMAN_REGISTRY_TOKEN_0", THEIRS)
    known = Registries(Settings(tracking_uri=own.url, registries=(theirs.url, f"{open_to_all.url}/")), time.monotonic)
    yield known
    known.close()


def source(server: str | None = None, uri: str = "models:/fraud@champion") -> ModelSource:
    return ModelSource.model_validate({"uri": uri, "registry": {"trackingURI": server} if server else {}})


async def test_each_is_asked_for_its_own_and_shown_its_own_account(
    servers: tuple[Server, ...], registries: Registries
) -> None:
    own, theirs, open_to_all = servers

    answers = [await registries.resolve(source(url)) for url in (None, own.url, theirs.url, f"{open_to_all.url}/")]

    known = [(answer.version, answer.registry) for answer in answers if isinstance(answer, ResolvedModel)]
    assert known == [("1", None), ("1", None), ("2", theirs.url), ("3", f"{open_to_all.url}/")]
    assert set(own.shown) == {f"Bearer {OWN}"}
    assert set(theirs.shown) == {f"Bearer {THEIRS}"}
    assert set(open_to_all.shown) == {None}


@pytest.mark.parametrize(
    "spelled",
    [
        "http://LOCALHOST:{port}",
        "http://localhost:{port}/",
        "http://localhost:{port}/a/../",
        "http://localhost:{port}/./",
    ],
)
async def test_a_server_is_shown_its_own_account_however_its_address_is_spelled(
    servers: tuple[Server, ...], monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    own, theirs, _ = servers
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    monkeypatch.setenv("FERRYMAN_REGISTRY_TOKEN_0", THEIRS)
    address = spelled.format(port=theirs.url.rpartition(":")[2])
    registries = Registries(Settings(tracking_uri=own.url, registries=(address,)), time.monotonic)

    await registries.resolve(source(address))

    registries.close()
    assert set(theirs.shown) == {f"Bearer {THEIRS}"}


@pytest.mark.parametrize(
    ("own", "asked", "shown"),
    [
        ("https://mlflow.example.com", "https://mlflow.example.com/api/2.0/mlflow", None),
        ("https://MLflow.example.com/", "https://mlflow.example.com/api/2.0/mlflow", None),
        ("https://mlflow.example.com/ml", "https://mlflow.example.com/ml/api", None),
        ("https://mlflow.example.com/ml", "https://mlflow.example.com/mlx/api", ""),
        ("https://mlflow.example.com/ml", "https://mlflow.example.com/ml/../other", ""),
        ("https://mlflow.example.com", "https://mlflow.example.com.evil.example/api", ""),
        ("https://mlflow.example.com", "http://mlflow.example.com/api", ""),
        ("https://mlflow.example.com", "https://login.example.com/", ""),
    ],
)
def test_the_installations_account_is_shown_to_its_own_server_alone(own: str, asked: str, shown: str | None) -> None:
    client.introduce(Settings(tracking_uri=own), {})

    assert client.token(asked) == shown

    client.introduce(Settings())


async def test_a_server_that_the_installation_does_not_know_is_not_asked(registries: Registries) -> None:
    stranger = Server("4")

    answer = await registries.resolve(source(stranger.url))

    stranger.close()
    assert isinstance(answer, Unresolved)
    assert answer.reason is Reason.REGISTRY_NOT_CONFIGURED
    assert "mlflow.registries" in answer.message
    assert stranger.shown == []


async def test_news_of_a_model_is_news_of_it_everywhere(servers: tuple[Server, ...], registries: Registries) -> None:
    _, theirs, _ = servers
    await registries.resolve(source(theirs.url))

    registries.forget("fraud")
    await registries.resolve(source(theirs.url))

    assert len(theirs.shown) == 2
