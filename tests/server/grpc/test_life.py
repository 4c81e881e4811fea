"""Calls that nobody waits for any more, and a server that is told to stop."""

import asyncio
import threading
from pathlib import Path

import grpc
import pytest
from server import iris, plain, process
from server.grpc import words

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix
from ferryman_server.grpc_api import inference_pb2 as messages


def number(value: float):
    return words.request({"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [value]}})


def in_flight(measures) -> float:
    line = next(one for one in measures.page().decode().splitlines() if "in_flight{" in one and '"grpc"' in one)
    return float(line.rpartition(" ")[2])


async def until(claim) -> None:
    async with asyncio.timeout(30):
        while not claim():
            await asyncio.sleep(0.005)


async def test_calls_past_their_deadline_or_given_up_never_reach_the_model():
    seen, gate = [], threading.Event()

    def predict(rows):
        seen.extend(rows.arrays[0].reshape(-1).tolist())
        gate.wait(30)
        return {"y": rows.arrays[0]}

    serving, measures = plain.serve(Model("test", matrix(1), predict))
    async with plain.calls(serving, measures) as address, words.client(address) as client:
        first = client.call("ModelInfer", number(1))
        await until(lambda: seen == [1])
        late = await client.ended("ModelInfer", number(2), timeout=0.1)
        given_up = client.call("ModelInfer", number(3))
        await until(lambda: in_flight(measures) >= 2)
        given_up.cancel()
        await until(lambda: in_flight(measures) == 1)
        last = client.call("ModelInfer", number(4))
        await until(lambda: in_flight(measures) == 2)
        gate.set()
        await asyncio.gather(first, last)
        page = measures.page().decode()

    assert late[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert seen == [1, 4]
    assert 'ferryman_requests_total{code="499",model="iris",protocol="grpc"' in page


async def test_a_stop_loses_no_call(slow_model, tmp_path):
    port = str(process.free_port())
    with process.server(
        slow_model,
        tmp_path,
        FERRYMAN_ALLOW_PICKLE="true",
        FERRYMAN_DRAIN_SECONDS="1",
        FERRYMAN_MAX_BATCH_SIZE="4",
        FERRYMAN_GRPC_PORT=port,
    ) as running:
        running.until_ready()
        ends: list[grpc.StatusCode] = []

        left = asyncio.Event()

        async def prober(client: words.Client) -> None:
            """As a mesh does: it goes elsewhere once it has heard that the server is unready."""
            while not left.is_set():
                ends.append((await client.ended("ModelInfer", number(0.01)))[0])

        async with words.client(f"127.0.0.1:{port}") as client:
            probers = [asyncio.create_task(prober(client)) for _ in range(4)]
            await until(lambda: len(ends) > 20)
            running.tell_to_stop()
            while (await client.call("ServerReady", messages.ServerReadyRequest())).ready:
                await asyncio.sleep(0.01)
            during = await client.infer(number(0.01))
            long = client.call("ModelInfer", number(2))  # longer than the server goes on listening
            left.set()
            await asyncio.gather(*probers)
            last = await long
        code = running.exit_code()

    assert code == 0
    assert list(during.outputs[0].contents.fp64_contents) == [0.01]
    assert list(last.outputs[0].contents.fp64_contents) == [2.0]
    assert set(ends) == {grpc.StatusCode.OK}


async def test_a_client_that_comes_while_the_model_loads_is_told_to_come_back(slow_model, tmp_path):
    port = str(process.free_port())
    with process.server(slow_model, tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_GRPC_PORT=port) as running:
        async with words.client(f"127.0.0.1:{port}") as client:
            alive = await client.call("ServerLive", messages.ServerLiveRequest(), wait_for_ready=True, timeout=30)
            early = await client.ended("ModelInfer", number(0))
            running.until_ready()
            later = await client.infer(number(0))

    assert alive.live
    assert early == (grpc.StatusCode.UNAVAILABLE, 'Model "iris" is still loading.')
    assert list(later.outputs[0].contents.fp64_contents) == [0]


def test_a_taken_port_is_said_at_once(shelf, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process.server(shelf.onnx(), tmp_path, FERRYMAN_GRPC_PORT=port) as running:
            code = running.exit_code()

    assert code == 1
    assert f"Port {port} cannot be listened on for gRPC" in running.termination_log.read_text()


async def test_two_servers_do_not_share_a_port(shelf):
    from ferryman_server.grpc_api import server
    from ferryman_server.reason import FatalError

    serving, measures = plain.serve(plain.load(shelf.onnx()))
    async with plain.calls(serving, measures):
        with pytest.raises(FatalError, match=f"Port {serving.settings.grpc_port} cannot be listened on for gRPC"):
            await server.start(serving, measures)


def test_without_a_port_nothing_of_grpc_is_loaded(shelf, tmp_path):
    with process.server(shelf.onnx(), tmp_path) as running:
        running.until_ready()
        mapped = (Path("/proc") / str(running.popen.pid) / "maps").read_text()
        answer = running.post("/v1/models/iris:predict", {"instances": iris.FLOWERS})

    assert answer.status_code == 200
    assert "cygrpc" not in mapped
