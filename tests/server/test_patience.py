"""Requests that nobody waits for any more never reach the model: their clients have gone, or their time is over."""

import asyncio
import re
from collections.abc import Iterator

import grpc
import httpx
import pytest
from server import process
from server.grpc import words

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"
LONG = 2.0
MS = "x-envoy-expected-rq-timeout-ms"
MIXED = [
    (V1, {"instances": [[0.01]]}),
    (V1, {"inputs": {"seconds": [0.01]}}),
    (V2, {"inputs": [{"name": "seconds", "datatype": "FP64", "shape": [1], "data": [0.01]}]}),
    ("/invocations", {"inputs": {"seconds": [0.01]}}),
    ("/invocations", {"instances": [[0.01]]}),
]


class Server:
    """The slow model in a process of its own, and what its metrics say."""

    def __init__(self, running: process.Running, grpc_port: str) -> None:
        self.running = running
        self.calls = f"127.0.0.1:{grpc_port}"

    def total(self, metric: str, **labels: str) -> float:
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        lines = [one for one in self.running.get("/metrics").text.splitlines() if re.match(rf"{metric}\b", one)]
        return sum(float(one.rpartition(" ")[2]) for one in lines if all(label in one for label in wanted))

    async def until_in_flight(self, count: int) -> None:
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self.total, "ferryman_requests_in_flight") != count:
                await asyncio.sleep(0.01)

    def rows(self) -> float:
        return self.total("ferryman_batch_rows_sum")


@pytest.fixture(scope="module")
def server(slow_model, tmp_path_factory) -> Iterator[Server]:
    port = str(process.free_port())
    contract = {"FERRYMAN_ALLOW_PICKLE": "true", "FERRYMAN_GRPC_PORT": port}
    with process.server(slow_model, tmp_path_factory.mktemp("patience"), **contract) as running:
        running.until_ready()
        yield Server(running, port)


def number(seconds: float):
    return words.request(
        {"name": "seconds", "datatype": "FP64", "shape": [1], "contents": {"fp64_contents": [seconds]}}
    )


async def test_clients_that_hung_up_are_not_predicted_for(server):
    before, left = server.rows(), server.total("ferryman_requests_total", code="499")
    async with httpx.AsyncClient(base_url=server.running.address, timeout=30) as http:
        long = asyncio.create_task(http.post(V1, json={"instances": [[LONG]]}))
        await server.until_in_flight(1)
        waiting = [asyncio.create_task(http.post(path, json=body)) for path, body in 2 * MIXED]
        await server.until_in_flight(11)
        for one in waiting:
            one.cancel()  # httpx closes its connection
        await server.until_in_flight(1)
        still_long = not long.done()
        last = await http.post(V1, json={"instances": [[0.0]]})
        answer = await long

    assert still_long
    assert (answer.json(), last.json()) == ({"predictions": [LONG]}, {"predictions": [0.0]})
    assert server.rows() - before == 2
    assert server.total("ferryman_requests_total", code="499") - left == 10


async def test_requests_past_their_deadline_are_refused_and_not_predicted(server):
    before, late = server.rows(), server.total("ferryman_requests_total", code="504")
    async with (
        httpx.AsyncClient(base_url=server.running.address, timeout=30) as http,
        words.client(server.calls) as rpc,
    ):
        long = asyncio.create_task(http.post(V1, json={"instances": [[LONG]]}))
        await server.until_in_flight(1)
        refused = await asyncio.gather(*(http.post(path, json=body, headers={MS: "150"}) for path, body in MIXED))
        ended = await rpc.ended("ModelInfer", number(0.01), timeout=0.15)
        still_long = not long.done()
        patient = await http.post(V1, json={"instances": [[0.0]]}, headers={MS: "20000"})
        await long

    told = f"The request's deadline has passed: it had 150 ms ({MS})."
    assert still_long
    assert [(one.status_code, one.json()["error"]) for one in refused] == [(504, told)] * len(MIXED)
    assert ended[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert patient.json() == {"predictions": [0.0]}
    assert server.rows() - before == 2
    assert server.total("ferryman_requests_total", code="504") - late >= len(MIXED)


async def test_a_deadline_that_passed_while_the_body_came_is_not_answered_late(server):
    before = server.rows()

    async def slowly():
        yield b'{"instances": '
        await asyncio.sleep(0.1)  # longer than the request may take
        yield b"[[0.0]]}"

    async with httpx.AsyncClient(base_url=server.running.address) as http:
        answer = await http.post(V1, content=slowly(), headers={MS: "50"})

    assert answer.status_code == 504
    assert server.rows() == before


@pytest.mark.parametrize("given", ["0", "soon", "-5", "1e3", "99999999999999999999"])
async def test_what_says_no_deadline_is_none(server, given):
    async with httpx.AsyncClient(base_url=server.running.address) as http:
        answer = await http.post(V1, json={"instances": [[0.0]]}, headers={MS: given})

    assert answer.json() == {"predictions": [0.0]}
