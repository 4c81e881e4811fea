"""A thousand ModelDeployments on one registry: what all of them cost it, over HTTP, whatever it is asked for."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import urllib.parse
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cluster_io import virtual_time
from ferryman.api.modeldeployment import ModelSource
from ferryman.api.revision import ResolvedModel
from ferryman.cluster.queue import Key, Queue
from ferryman.followers import Followers
from ferryman.outcome import Unresolved
from ferryman.poll import Poll
from ferryman.registry import client
from ferryman.registry.answers import Answer
from ferryman.registry.several import Registries
from ferryman.registry.signatures import Signatures
from ferryman.settings import Settings

MANY = 1000
HOOK = 5.0
MISSING = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}


class Mlflow:
    """A registry of many models with two versions each, of which an alias stands for the first, and its clock."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        self.requests: list[float] = []
        self.down = False
        self.points = {f"m{number:04}": "1" for number in range(MANY)}
        world = self

        class Answers(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                status, body = world.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.requests.append(self.now())
        if self.down:
            return 500, {"error_code": "INTERNAL_ERROR", "message": "the database is away"}
        match path.rsplit("/", 2)[-2:]:
            case ["registered-models", "search"]:
                begin, size = int(query.get("page_token", 0)), int(query["max_results"])
                page = list(self.points.items())[begin : begin + size]
                more = {"next_page_token": str(begin + size)} if begin + size < MANY else {}
                return 200, {"registered_models": [self._model(*each) for each in page], **more}
            case ["registered-models", "alias"] if query["name"] in self.points:
                return 200, {"model_version": version(query["name"], self.points[query["name"]])}
            case ["model-versions", "get"] if query["name"] in self.points:
                return 200, {"model_version": version(query["name"], query["version"])}
            case _:
                return 404, MISSING

    def busiest(self, seconds: float = 10) -> int:
        """Return how many requests came in the busiest of all times of such a length."""
        at = sorted(self.requests)
        return max(bisect_left(at, begin + seconds) - n for n, begin in enumerate(at))

    @staticmethod
    def _model(name: str, points: str) -> dict[str, Any]:
        aliases = [{"alias": "champion", "version": points}]
        return {"name": name, "aliases": aliases, "latest_versions": [version(name, "2")]}


def version(name: str, number: str) -> dict[str, str]:
    return {"name": name, "version": number, "source": f"s3://m/{name}/{number}", "current_stage": "None"}


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mlflow]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    world = Mlflow()
    client.connected(world.url)
    yield world
    world.close()


class Operator:
    """All that an operator has to do with a registry, and many ModelDeployments that look as they do."""

    def __init__(self, mlflow: Mlflow, uris: list[str], pinned: dict[str, ResolvedModel]) -> None:
        clock = asyncio.get_running_loop().time
        mlflow.now = clock
        settings = Settings(tracking_uri=mlflow.url)
        self.registries, self.followers = Registries(settings, clock), Followers()
        self.signatures = Signatures(settings, clock, self.registries)
        self.uris, self.pinned = {Key("ml", f"d{number:04}"): uri for number, uri in enumerate(uris)}, pinned
        self.means: dict[str, Answer] = {}
        self.queue = Queue(self._look, _failed, workers=settings.workers, clock=clock)
        for key in self.uris:
            self.queue.add(key)
        [(_, registry)] = self.registries.each()
        poll = Poll(settings, registry, self.followers.named, self._moved)
        self._tasks = [asyncio.create_task(poll.run()), asyncio.create_task(self.queue.run())]

    async def _look(self, key: Key) -> None:
        uri = self.uris[key]
        self.followers.follows(key, uri)
        known = [self.pinned[uri]] if uri in self.pinned else []
        found = await self.registries.resolve(ModelSource(uri=uri), known)
        if isinstance(found, ResolvedModel) and not any(found.same_bytes(each) for each in known):
            found = await self.signatures.described(found, *known)
        self.means[key.name] = found

    def _moved(self, uri: str) -> None:
        for key in self.followers.at(uri):
            self.queue.add(key)

    def known(self) -> int:
        """Return how many know what they are to serve."""
        return sum(not isinstance(found, Unresolved) for found in self.means.values())

    async def within(self, seconds: float, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds, in so many seconds at most."""
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 time brings it
                await asyncio.sleep(0.5)
        assert holds(), what

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.registries.close()


def _failed(key: Key, error: Exception, delay: float) -> None:
    raise AssertionError(f"{key}: {delay}") from error


def champion(number: int) -> str:
    return f"models:/m{number:04}@champion"


def first(number: int) -> str:
    return f"models:/m{number:04}/1"


def absent(number: int) -> str:
    return f"models:/absent{number:04}@champion"


def pinned(uris: list[str]) -> dict[str, ResolvedModel]:
    """Return what the statuses say after a day."""
    named = {uri: uri.removeprefix("models:/").split("@")[0].split("/")[0] for uri in uris}
    return {
        uri: ResolvedModel(uri=f"models:/{name}/1", requested=uri, version="1", source=f"s3://m/{name}/1")
        for uri, name in named.items()
    }


@pytest.mark.parametrize("named", [champion, first])
def test_a_thousand_cost_two_requests_a_second_at_start_in_an_outage_and_after_it_and_all_find_it_over_soon(
    mlflow: Mlflow, named: Callable[[int], str]
) -> None:
    async def day() -> None:
        uris = [named(number) for number in range(MANY)]
        operator = Operator(mlflow, uris, pinned(uris))
        await operator.within(40, lambda: operator.known() == MANY, "they begin with what they know")
        await asyncio.sleep(120)
        mlflow.down = True
        if named is champion:  # a version never means anything else
            await operator.within(150, lambda: operator.known() == 0, "all know that nobody answers")
        await asyncio.sleep(60)
        mlflow.down = False
        await operator.within(40, lambda: operator.known() == MANY, "all know that it is back")
        await asyncio.sleep(60)
        await operator.end()

    virtual_time.run(day())

    assert mlflow.busiest() <= 2 * 10


def test_a_thousand_that_are_new_are_named_from_the_list_and_those_that_nobody_knows_cost_no_more(
    mlflow: Mlflow,
) -> None:
    mlflow.points = dict.fromkeys(mlflow.points, "2")

    async def day() -> None:
        new, unknown = [champion(number) for number in range(MANY)], [absent(number) for number in range(50)]
        operator = Operator(mlflow, [*new, *unknown], {})
        await asyncio.sleep(30)
        assert len(operator.means) == MANY + 50, "nobody waits"
        await asyncio.sleep(300)
        await operator.end()

    virtual_time.run(day())

    assert mlflow.busiest() <= 2 * 10


def test_of_a_thousand_a_move_is_noticed_by_all_that_follow_it_soon_and_at_once_when_it_is_told(
    mlflow: Mlflow,
) -> None:
    async def day() -> None:
        uris = [champion(number) for number in range(MANY)]
        operator = Operator(mlflow, [*uris, champion(7)], pinned(uris))
        await asyncio.sleep(100)
        mlflow.points["m0007"] = "2"
        await operator.within(35, lambda: _both(operator) == {"2"}, "both know of it by a poll")
        await asyncio.sleep(60)
        mlflow.points["m0007"] = "1"
        operator.registries.forget("m0007")
        operator.queue.add(Key("ml", "d0007"))  # one of the two looks first
        await operator.within(HOOK, lambda: _both(operator) == {"1"}, "both know of it at once")
        await operator.end()

    def _both(operator: Operator) -> set[str | None]:
        found = [operator.means[name] for name in ("d0007", f"d{MANY}")]
        return {each.version if isinstance(each, ResolvedModel) else None for each in found}

    virtual_time.run(day())

    assert mlflow.busiest() <= 2 * 10
