"""The fast path is only faster: what it answers is byte for byte what uvicorn's way would have answered."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from server import plain
from server.hostile import wire
from server.rest.wired import GOOD, MODEL, ROW, Server, headed, settled

from ferryman_server import life
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.rest import app, fastpath, http1
from ferryman_server.serving import Phase

TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}
V2 = b"/v2/models/iris/infer"


@pytest.fixture
async def server() -> Server:
    """Warm: what a run of its model costs is known."""
    server = Server()
    server.warm()
    return server


async def test_a_prediction_in_one_piece_is_answered_in_one_before_the_loop_waits_again(server):
    protocol, transport = server.connection()

    protocol.data_received(GOOD)
    await asyncio.sleep(0)

    [answer] = transport.written
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'\r\n\r\n{"predictions":[1.0]}')


@pytest.mark.parametrize("request_", [
    GOOD,
    wire.request(ROW, b"X-Request-Id: abc-1"),
    wire.request(ROW, b"X-Request-Id: \xff\tz"),
    wire.request(ROW, b"Content-Type: text/plain"),
    wire.request(ROW, b"X-Envoy-Expected-Rq-Timeout-Ms: 1000"),
    wire.request(ROW, b"Connection: Upgrade", b"Upgrade: h2c"),
    wire.request(b"{"),
    wire.request(b""),
    wire.request(b"[]"),
    headed({"instances": []}),
    headed({"instances": [[1.0]]}),
    headed({"instances": [{"a": 1.0, "b": 2.0}]}),
    headed({"instances": [[13, 2]]}),
    headed({"instances": [[None, 2]]}),
    headed({"instances": [["one", 2]]}),
    headed({"inputs": [[1.0, 2.0]]}),
    headed({"inputs": [TENSOR], "id": "7"}, path=V2),
    headed({"inputs": [TENSOR | {"shape": [2, 2]}]}, path=V2),
    headed({"inputs": [TENSOR], "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}, path=V2),
    headed({"dataframe_split": {"data": [[1.0, 2.0]]}}, path=b"/invocations"),
    headed({"dataframe_split": 3}, path=b"/invocations"),
    headed({"instances": [[1.0, 2.0]]}, path=b"/v1/models/iris/versions/7:predict"),
    wire.request(b"a,b\r\n1,2\r\n", b"Content-Type: text/csv", path=b"/invocations"),
], ids=str)  # fmt: skip
async def test_its_bytes_are_those_of_the_long_way(server, request_):
    protocol, transport = server.connection()
    protocol.data_received(request_)
    await asyncio.sleep(0)
    at_once = b"".join(transport.written)

    assert at_once
    assert at_once == await server.answer(request_, http1.Protocol)


async def test_what_a_model_fails_at_is_told_with_an_id_in_both_ways(server):
    request_ = headed({"instances": [[14, 2]]}, b"X-Request-Id: abc")

    answers = [await server.answer(request_, kind) for kind in (fastpath.FastPath, http1.Protocol)]

    assert answers[0] == answers[1]
    assert b"under request id abc" in answers[0]


@pytest.mark.parametrize("request_", [
    wire.request(ROW, b"Connection: close"),
    GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    wire.request(ROW, b"Expect: 100-continue"),
    wire.request(ROW, b"Content-Encoding: gzip"),
    wire.request(gzip.compress(ROW, mtime=0), b"Content-Encoding: gzip"),
    GOOD.replace(b":predict", b":predict?x=1"),
    GOOD.replace(b"POST", b"PUT"),
    b"GET /healthz HTTP/1.1\r\n\r\n",
], ids=str)  # fmt: skip
async def test_whatever_is_unusual_goes_the_long_way_and_has_the_same_answer(server, request_):
    protocol, transport = server.connection()
    protocol.data_received(request_)
    assert transport.written == []

    await settled(protocol)
    assert b"".join(transport.written) == await server.answer(request_, http1.Protocol)


async def test_a_body_in_pieces_is_answered_when_it_is_whole(server):
    protocol, transport = server.connection()
    for piece in (GOOD[:10], GOOD[10:-5], GOOD[-5:-3], GOOD[-3:]):
        assert transport.written == []
        protocol.data_received(piece)
    await settled(protocol)

    assert b"".join(transport.written) == await server.answer(GOOD, http1.Protocol)


async def test_while_the_model_is_busy_the_request_waits_and_is_read_only_once(server):
    batcher = server.serving.plane._batcher
    reads = []
    quick = batcher.at_once
    batcher.soon = lambda rows, *_: reads.append(id(rows))
    batcher.at_once = lambda rows: reads.append(id(rows)) or quick(rows)
    protocol, transport = server.connection()

    protocol.data_received(GOOD)
    assert transport.written == []
    await settled(protocol)

    assert b"".join(transport.written).endswith(b'{"predictions":[1.0]}')
    assert len(reads) > 1
    assert len(set(reads)) == 1


async def test_a_connection_with_many_requests_in_one_piece_lets_others_have_their_turn(server):
    protocol, transport = server.connection()

    protocol.data_received(GOOD * 100)
    at_once = len(transport.written)
    await settled(protocol)

    assert 1 < at_once < 50
    assert b"".join(transport.written).count(b"HTTP/1.1 200 OK") == 100


async def test_a_server_that_drains_says_so(server):
    server.serving.phase = Phase.DRAINING

    assert b"connection: close\r\n" in await server.answer(GOOD, fastpath.FastPath)


class Witness:
    def __init__(self) -> None:
        self.said: list[object] = []

    def plane(self, plane: DataPlane, body: bytes) -> DataPlane:
        self.said.append(body)
        return plane

    def ended(self, status: int) -> None:
        self.said.append(status)


@pytest.mark.parametrize("witness", [None, Witness()])
async def test_whoever_may_look_on_is_asked_once_and_does(server, witness):
    asked = []

    class Witnesses:
        def of(self, protocol, path, _headers):
            asked.append((protocol, path))
            return witness

    server.serving.witnesses = Witnesses()
    answer = await server.answer(GOOD, fastpath.FastPath)

    assert answer.endswith(b'{"predictions":[1.0]}')
    assert asked == [("v1", "/v1/models/iris:predict")]
    assert witness is None or witness.said == [ROW, 200]


async def test_it_is_counted_like_any_other(server):
    before = server.measures.page().decode().splitlines()
    for request_ in (GOOD, GOOD, wire.request(b"{")):
        await server.answer(request_, fastpath.FastPath)
    after = server.measures.page().decode().splitlines()

    grown = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in after if line not in before}
    counted = {name: value for name, value in grown.items() if name.startswith("ferryman_requests_total")}
    assert [value for name, value in counted.items() if 'code="200"' in name] == ["2.0"]
    assert [value for name, value in counted.items() if 'code="400"' in name] == ["1.0"]
    assert any(name.startswith("ferryman_request_duration_seconds_count") for name in grown)
    assert not any(name.startswith("ferryman_requests_in_flight") for name in grown)


@asynccontextmanager
async def impatient(quick: bool) -> AsyncIterator[int]:
    class Impatient(fastpath.FastPath):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.timeout_keep_alive = 0.2

    application = app.App(*plain.serve(replace(MODEL, quick=quick)))
    async with wire.listening(application, Impatient) as port:
        yield port


@pytest.mark.parametrize("quick", [True, False])
async def test_a_connection_that_rests_is_closed_after_its_last_request_not_its_first(quick):
    loop = asyncio.get_running_loop()
    async with impatient(quick) as port, wire.connected(port) as client:
        until = loop.time() + 0.6
        while loop.time() < until:
            assert (await client.ask(GOOD)).status == 200
        rested = loop.time()
        assert await client.answer() is None

    assert 0.15 < loop.time() - rested < 5


def test_the_server_asks_its_application_itself_and_nothing_around_it():
    config = life.Life(plain.SETTINGS, 1)._config()
    config.load()

    assert isinstance(config.loaded_app, app.App)
    assert issubclass(config.http_protocol_class, fastpath.FastPath)
