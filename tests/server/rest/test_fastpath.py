"""The fast path is only faster: what it answers is byte for byte what uvicorn's way would have answered."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from server import plain
from server.hostile import wire
from uvicorn.server import ServerState

from ferryman_server import life
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.schema import matrix
from ferryman_server.rest import app, fastpath, http1
from ferryman_server.serving import Phase

ROW = b'{"instances": [[1.0, 2.0]]}'
GOOD = wire.request(ROW)
TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}
V2 = b"/v2/models/iris/infer"


def first(rows):
    if 13 in rows.arrays[0]:
        raise ValueError("13 brings bad luck")
    if 14 in rows.arrays[0]:
        raise RuntimeError("14 is too much")
    return {"y": rows.arrays[0][:, 0]}


MODEL = Model("test", matrix(2), first, quick=True)


class Wire(asyncio.Transport):
    """What a connection has written, by its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Server:
    """An application, and connections to it without a socket."""

    def __init__(self, model: Model = MODEL, **settings: Any) -> None:
        self.serving, self.measures = plain.serve(model, **settings)
        self.config = uvicorn.Config(
            app.App(self.serving, self.measures), loop="none", lifespan="off", interface="asgi3", ws="none",
            access_log=False, log_config=None, server_header=False, date_header=False, proxy_headers=False,
            timeout_keep_alive=1,
        )  # fmt: skip
        self.config.load()

    def connection(self, kind: type[http1.Protocol] = fastpath.FastPath) -> tuple[http1.Protocol, Wire]:
        protocol, transport = kind(config=self.config, server_state=ServerState(), app_state={}), Wire()
        protocol.connection_made(transport)
        return protocol, transport

    def warm(self) -> None:
        """Let its model be known as quick, however busy the machine is."""
        plane = self.serving.plane
        assert plane is not None
        plane._batcher._costs.ran(1, 0.000_01)

    async def answer(self, data: bytes, kind: type[http1.Protocol]) -> bytes:
        protocol, transport = self.connection(kind)
        protocol.data_received(data)
        await settled(protocol)
        return b"".join(transport.written)


async def settled(protocol: http1.Protocol) -> None:
    async with asyncio.timeout(10):
        await asyncio.sleep(0)  # the end of this turn of the event loop
        while not protocol.cycle.response_complete or protocol.pipeline:
            await asyncio.sleep(0.001)


@pytest.fixture
async def server() -> Server:
    """Warm: what a run of its model costs is known."""
    server = Server()
    server.warm()
    return server


def headed(document: Any, *fields: bytes, path: bytes = b"/v1/models/iris:predict") -> bytes:
    return wire.request(json.dumps(document).encode(), *fields, path=path)


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


# --- several clients in one turn of the event loop ---


class Crowd:
    """Clients of one server, whose model notes what it is asked."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        self.server = Server(model=replace(MODEL, predict=self._predict))
        self.clients = [self.server.connection() for _ in range(4)]

    def _predict(self, rows: Any) -> Any:
        self.runs.append(rows.arrays[0][:, 0].tolist())
        return first(rows)

    async def ask(self, *values: float) -> list[bytes]:
        """Each of its clients asks for one value, all in one turn; their answers."""
        for (protocol, _), value in zip(self.clients, values, strict=False):
            protocol.data_received(headed({"instances": [[value, 2]]}))
        await asyncio.sleep(0)
        return [self.taken(at) for at in range(len(values))]

    def taken(self, at: int) -> bytes:
        _, transport = self.clients[at]
        written, transport.written = b"".join(transport.written), []
        return written


@pytest.fixture
async def crowd() -> Crowd:
    """Warm, too."""
    crowd = Crowd()
    crowd.server.warm()
    return crowd


async def test_what_several_clients_ask_in_one_turn_is_one_run_and_each_has_its_own_answer(crowd):
    answers = await crowd.ask(1, 2, 3)

    assert crowd.runs == [[1, 2, 3]]
    assert [answer.rpartition(b"\r\n")[2] for answer in answers] == [
        b'{"predictions":[1.0]}',
        b'{"predictions":[2.0]}',
        b'{"predictions":[3.0]}',
    ]


async def test_a_bad_row_among_them_fails_alone(crowd):
    answers = await crowd.ask(1, 13, 14, 4)

    assert [answer[9:12] for answer in answers] == [b"200", b"400", b"500", b"200"]
    assert b"13 brings bad luck" in answers[1]


async def test_whoever_asked_last_and_asks_again_is_not_kept_waiting_for_company(crowd):
    await crowd.ask(1)
    crowd.clients[0][0].data_received(GOOD)

    assert crowd.taken(0).startswith(b"HTTP/1.1 200 OK")


async def test_what_comes_behind_a_prediction_is_answered_behind_it(crowd):
    protocol, _ = crowd.clients[0]
    protocol.data_received(headed({"instances": [[5, 2]]}) + b"GET /ping HTTP/1.1\r\n\r\n" + GOOD)
    await settled(protocol)

    answers = crowd.taken(0)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.index(b"[5.0]") < answers.index(b"[1.0]")
    assert b"predictions" not in answers[answers.index(b"[5.0]") + 5 : answers.rindex(b"HTTP/1.1 200")]


@pytest.mark.parametrize("ends", [
    lambda protocol: protocol.data_received(b"\0\0\0\r\n\r\n"),
    lambda protocol: protocol.eof_received(),
    lambda protocol: protocol.shutdown(),
], ids=["nonsense", "the end of what it says", "the end of the server"])  # fmt: skip
async def test_what_was_asked_before_the_end_is_answered_before_it(crowd, ends):
    protocol, transport = crowd.clients[0]
    protocol.data_received(GOOD)
    assert not transport.written
    assert not protocol.rests()

    ends(protocol)

    assert crowd.taken(0).startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_leaves_in_the_same_turn_takes_nobody_elses_answer_along(crowd):
    for protocol, _ in crowd.clients[:2]:
        protocol.data_received(GOOD)
    crowd.clients[0][1].closed = True
    crowd.clients[0][0].connection_lost(None)
    await asyncio.sleep(0)

    assert crowd.taken(0) == b""
    assert crowd.taken(1).startswith(b"HTTP/1.1 200 OK")


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
