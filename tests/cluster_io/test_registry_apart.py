"""One tracking server that hangs, or a store behind it, slows nothing that concerns another."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelDeploymentSpec, ModelSource, ObjectMeta
from ferryman.api.revision import Rejected, ResolvedModel, Revision
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster.queue import Key, Queue
from ferryman.followers import Followers
from ferryman.outcome import NOTHING_TOLD, Resource, Tag
from ferryman.reconcile import Reconciler
from ferryman.registry import client
from ferryman.registry.answers import Registry
from ferryman.registry.questions import PAGE
from ferryman.registry.scribe import Scribe
from ferryman.registry.several import Registries
from ferryman.registry.signatures import Signatures
from ferryman.registry.turns import AT_ONCE
from ferryman.render import revision
from ferryman.settings import Settings

FOLLOWED = "models:/fraud@champion"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMEOUT = 1.0
HANGS_SECONDS = 60.0
MORE = 0.5
"""Seconds by which a busy machine may differ from itself."""


class Server:
    """A tracking server whose aliases stand for version 2 of whatever is asked for; some of it may hang."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        self.asked: list[str] = []
        self.description = ""
        self.hiccups = 0
        self._stopped = threading.Event()
        world = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                payload = world.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                self.send_response(200 if payload else 500)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                with contextlib.suppress(OSError):  # nobody waits any more
                    self.wfile.write(payload)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, query: dict[str, str]) -> bytes:
        what = path.rsplit("/", 1)[-1]
        self.asked.append(what)
        if what in self.hangs:
            self._stopped.wait(HANGS_SECONDS)
        match what:
            case "get-artifact" if self.hiccups:
                self.hiccups -= 1
                return b""
            case "get-artifact":
                return b"signature: {inputs: '[]', outputs: '[]'}"
            case "search":
                begin, size = int(query.get("page_token", 0)), int(query["max_results"])
                page = [{"name": f"m{n}", "description": self.description} for n in range(begin, begin + size)]
                more = {"next_page_token": str(begin + size)} if begin + size < 2 * PAGE else {}
                return json.dumps({"registered_models": page, **more}).encode()
        version = {"name": query.get("name", ""), "version": query.get("version", "2"), "source": "s3://m"}
        return json.dumps({"model_version": version}).encode()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(int(TIMEOUT)))
    well, ill = Server(), Server()
    client.connected(well.url)  # to import MLflow may take longer than an answer
    yield well, ill
    for server in (well, ill):
        server.close()
    client.introduce(Settings())


def settings(well: Server, ill: Server) -> Settings:
    return Settings(tracking_uri=well.url, registries=(ill.url,), registry_timeout_seconds=TIMEOUT)


@pytest.mark.parametrize("hangs", ["alias", "get-artifact"])
async def test_a_registry_or_a_store_that_hangs_for_a_minute_slows_no_look_at_a_model_of_another(
    servers: tuple[Server, Server], hangs: str
) -> None:
    well, ill = servers
    chosen = settings(well, ill)
    registries = Registries(chosen, time.monotonic)
    signatures = Signatures(chosen, time.monotonic, registries)
    looked = dict[Key, asyncio.Event]()

    async def look(key: Key) -> None:
        server = ill.url if key.namespace == "ill" else None
        uri = f"models:/{key.name}@champion"
        source = ModelSource.model_validate({"uri": uri, "registry": {"trackingURI": server}})
        found = await registries.resolve(source)
        if isinstance(found, ResolvedModel):
            await signatures.described(found)
        looked[key].set()

    queue = Queue(look, lambda *_: None, workers=8, clock=time.monotonic)
    working = asyncio.create_task(queue.run())

    async def seen(*keys: Key) -> float:
        began = time.monotonic()
        for key in keys:
            looked[key] = asyncio.Event()
            queue.add(key)
        for key in keys:
            await looked[key].wait()
        return time.monotonic() - began

    others = [Key("well", f"w{number}") for number in range(8)]
    before = max([await seen(*others) for _ in range(3)])
    ill.hangs.add(hangs)
    trouble = asyncio.create_task(seen(*(Key("ill", f"i{number}") for number in range(16))))
    await asyncio.sleep(0)
    during = []
    while not trouble.done() or len(during) < 3:
        during.append(await seen(*others))

    assert max(during) < before + MORE
    working.cancel()
    registries.close()


async def test_what_one_registry_does_not_take_keeps_nothing_from_another(servers: tuple[Server, Server]) -> None:
    well, ill = servers
    told = dict[str, asyncio.Event]()
    scribe: Scribe[str] = Scribe(
        settings(well, ill), time.monotonic, None, moved=lambda _: None, wake=lambda key: told[key].set()
    )

    def tell(key: str, server: str | None) -> None:
        told[key] = asyncio.Event()
        scribe.tell(key, (Tag(key, "2", "k", "v", server),), NOTHING_TOLD)

    async def written(key: str) -> float:
        began = time.monotonic()
        tell(key, None)
        await told[key].wait()
        return time.monotonic() - began

    before = await written("first")
    ill.hangs.add("set-tag")
    for number in range(8):
        tell(f"ill-{number}", ill.url)
    during = await written("second")

    assert during < before + MORE
    for number in range(8):
        await told[f"ill-{number}"].wait()
    assert ill.asked.count("set-tag") < 8, "who keeps those who tell it waiting is left alone"
    scribe.close()


class Fraud:
    """An operator's looks at one model that follows an alias, as far as they ask the registry."""

    def __init__(self, chosen: Settings) -> None:
        self.registries = Registries(chosen, time.monotonic)
        self.settings = chosen
        self._reconciler = Reconciler(
            *(cast(Any, None) for _ in range(3)),
            registries=self.registries,
            signatures=Signatures(chosen, time.monotonic, self.registries),
            scribe=cast(Any, None),
            followers=Followers(),
            recorder=cast(Any, None),
            settings=chosen,
            now=lambda: NOW,
        )
        said = {"name": "fraud", "namespace": "ml", "uid": "u", "resourceVersion": "1", "generation": 1}
        self._meta = ObjectMeta.model_validate(said)
        self._spec = ModelDeploymentSpec.model_validate({"model": {"uri": FOLLOWED}})

    def version(self, number: str) -> Revision:
        model = ResolvedModel(uri=f"models:/fraud/{number}", requested=FOLLOWED, version=number, source="s3://m")
        return revision.wished("fraud", self._spec, model, self.settings, NOW)

    async def look(self, verbs: dict[str, str] | None = None, **standing: Any) -> str | None:
        """Look; return the version that the alias is taken for, if it is for any."""
        status = ModelDeploymentStatus(observed_generation=1, stable=self.version("1"), **standing)
        resource = Resource(self._meta, self._spec, status, verbs or {})
        resolved, _ = await self._reconciler._resolve(Key("ml", "fraud"), resource)
        await self._reconciler._breaks(resource, resolved)
        return resolved.version if isinstance(resolved, ResolvedModel) else None


@pytest.fixture
def fraud(servers: tuple[Server, Server]) -> Iterator[Fraud]:
    one = Fraud(settings(*servers))
    yield one
    one.registries.close()


async def test_a_version_that_was_rejected_is_not_read_again_until_somebody_wants_it(
    servers: tuple[Server, Server], fraud: Fraud
) -> None:
    well, _ = servers
    bad = fraud.version("2").revision
    rejected = Rejected(revision=bad, reason=Reason.LOAD_FAILED, message="", time=NOW)

    assert await fraud.look(rejected=rejected) == "2"
    assert "get-artifact" not in well.asked
    assert await fraud.look({"retry": bad}, rejected=rejected) == "2"
    assert well.asked.count("get-artifact") == 2


async def test_a_hiccup_while_a_version_is_compared_lets_it_wait_and_not_through(
    servers: tuple[Server, Server], fraud: Fraud
) -> None:
    well, _ = servers
    well.hiccups = 1

    assert await fraud.look() is None
    assert fraud.registries.at(None).owed() == [FOLLOWED], "it is looked at again in a moment"
    assert await fraud.look() == "2"
    assert well.asked.count("get-artifact") == 3


async def test_an_operator_that_starts_among_many_takes_no_alias_for_what_stable_was_while_something_is_under_way(
    fraud: Fraud,
) -> None:
    rejected = Rejected(revision=fraud.version("2").revision, reason=Reason.LOAD_FAILED, message="", time=NOW)
    assert fraud.registries.at(None).turns.take(AT_ONCE), "it is others' turn"

    assert await fraud.look() == "1", "what rests, rests on"
    assert await fraud.look(candidate=fraud.version("2")) is None
    assert await fraud.look(rejected=rejected) is None
    assert await fraud.look(withdrawn=fraud.version("2").revision) is None


async def test_a_list_with_long_words_is_read_in_shorter_pages_and_that_is_said_once(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture
) -> None:
    well, ill = servers
    well.description = "long " * 16 * 1024  # 80 KiB, a hundred of which are too long for one answer
    registry = Registry(settings(well, ill), time.monotonic)

    token, pages = None, 0
    while pages == 0 or token is not None:
        _, token = await registry.aliases(token)
        pages += 1

    assert pages == 4
    assert well.asked.count("search") == 5
    assert [record.levelname for record in caplog.records if "a page" in record.message] == ["WARNING"]
    registry.close()
