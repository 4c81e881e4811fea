"""A pod with two workers: one address, one set of numbers, and what becomes of it when one of them dies."""

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc.aio
import httpx
import pytest
from server import commanding, iris, process
from server.grpc import words
from server.workers import pods

V1 = "/v1/models/iris:predict"
FLOWERS = {"instances": iris.FLOWERS}


class Clients:
    """Some that keep a connection each and ask one question after the other, until they are told to stop."""

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._address, timeout=30) as http:
            while not self._over.wait(0.02):
                try:
                    self.statuses[http.post(V1, json=FLOWERS).status_code] += 1
                except httpx.ConnectError:  # nobody listens any more
                    return
                except httpx.TransportError as error:
                    self.failures.append(repr(error))

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def kept_open(address: str, count: int) -> Iterator[list[httpx.Client]]:
    """Clients with a connection each, which has answered once."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=address, timeout=30)) for _ in range(count)]
        for client in clients:
            assert client.get("/healthz").status_code == 200
        yield clients


def test_both_workers_have_their_half_of_the_connections_and_count_together(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path) as pod:
        pod.until_ready()
        with kept_open(pod.address, 8) as clients:
            pod.until_workers(2)
            pod.until_spread(4, 4)
            answers = [client.post(V1, json=FLOWERS).status_code for client in clients]
            counted = {pod.count("ferryman_requests_total", code="200") for _ in range(6)}
            ready = pod.get("/readyz").status_code

    assert answers == [200] * 8
    assert counted == {8.0}
    assert ready == 200


def test_a_killed_worker_takes_nothing_with_it_but_its_own_connections_and_comes_back(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path) as pod:
        pod.until_workers(2)
        with Clients(pod.address, 8) as clients:
            pod.until_spread(4, 4)
            process.until(lambda: clients.statuses[200] > 40, "there is load")
            before = pod.count("ferryman_requests_total")
            os.kill(pod.workers()[1], signal.SIGKILL)
            process.until(lambda: pod.count("ferryman_workers_replaced_total") == 1, "it is dead")
            after = pod.count("ferryman_requests_total")
            pod.until_workers(2)
            pod.until_spread(4, 4)
            failures = len(clients.failures)
            asked = clients.statuses[200]
            process.until(lambda: clients.statuses[200] > asked + 40, "all is as before")
        again = len(clients.failures)
        counted = pod.count("ferryman_requests_total", code="200")

    assert set(clients.statuses) == {200}
    assert failures <= 4  # one on each of its connections
    assert again == failures
    assert after >= before
    assert clients.statuses[200] <= counted <= clients.statuses[200] + failures
    assert "worker 2 was ended by SIGKILL while it was serving" in pod.log.read_text()


def test_a_stop_loses_nothing_of_either_worker_and_a_second_signal_hurries_both(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path, FERRYMAN_DRAIN_SECONDS="600") as pod:
        pod.until_workers(2)
        with Clients(pod.address, 8) as clients:
            process.until(lambda: clients.statuses[200] > 40, "there is load")
            pod.tell_to_stop()
            process.until(lambda: pod.get("/readyz").status_code == 503, "it is unready")
            unready = {pod.get("/readyz").json()["phase"] for _ in range(4)}
            during = pod.post(V1, FLOWERS)
            draining = clients.statuses[200]
            process.until(lambda: clients.statuses[200] > draining + 40, "it answers on")
            pod.tell_to_stop()  # that is enough
            code = pod.exit_code()

    assert unready == {"draining"}
    assert (during.status_code, during.headers["connection"]) == (200, "close")
    assert clients.failures == []
    assert set(clients.statuses) == {200}
    assert code == 0
    assert pod.termination_log.read_text() == ""


async def test_grpc_clients_are_shared_out_anew_and_no_call_is_lost(shelf, tmp_path):
    port = process.free_port()
    own = [*words.OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    flower = {"name": "X", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": iris.FLOWERS[0]}}
    with pods.pod(shelf.onnx(), tmp_path, FERRYMAN_GRPC_PORT=str(port)) as pod:
        await asyncio.to_thread(pod.until_workers, 2)
        ends: Counter[grpc.StatusCode] = Counter()
        channels: list[list[grpc.aio.Channel]] = [[], []]
        for count in range(1, 9):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", own)
            ends[await words.Client(channel).call("ModelInfer", words.request(flower)).code()] += 1
            channels[pod.spread(port)[1] > len(channels[1])].append(channel)
            assert sum(pod.spread(port)) == count
        shared = [len(of_one) for of_one in channels]
        for channel in channels[0]:
            await channel.close()
        clients = [words.Client(channel) for channel in channels[1]]
        async with asyncio.timeout(60):
            while sorted(pod.spread(port)) != [2, 2]:
                calls = (client.ended("ModelInfer", words.request(flower)) for client in clients)
                ends.update(code for code, _ in await asyncio.gather(*calls))
        for channel in channels[1]:
            await channel.close()
        counted = await asyncio.to_thread(pod.count, "ferryman_requests_total", protocol="grpc", code="200")

    assert shared == [4, 4]
    assert set(ends) == {grpc.StatusCode.OK}
    assert counted == ends[grpc.StatusCode.OK]


async def test_probes_and_metrics_answer_while_every_worker_is_busy(slow_model, tmp_path):
    with pods.pod(slow_model, tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_MAX_BATCH_SIZE="1") as pod:
        pod.until_workers(2)
        async with httpx.AsyncClient(base_url=pod.address, timeout=60) as http:
            slow = [asyncio.create_task(http.post(V1, json={"instances": [[3.0]]})) for _ in range(2)]
            while await asyncio.to_thread(pod.in_flight) != 2:
                await asyncio.sleep(0.01)
            waits = []
            for path in ("/healthz", "/metrics") * 20:
                began = time.perf_counter()
                assert (await http.get(path)).status_code == 200
                waits.append(time.perf_counter() - began)
            still_slow = not any(task.done() for task in slow)
            answers = [(await task).json() for task in slow]

    assert still_slow
    assert sorted(waits)[len(waits) // 2] < 0.05
    assert answers == [{"predictions": [3.0]}] * 2


def test_where_memory_is_short_one_worker_serves_and_the_log_says_why(shelf, tmp_path):
    with pods.narrow(shelf.onnx(), tmp_path, "two workers in 128 MiB") as pod:
        pod.until_workers(1)
        process.until(lambda: pod.count("ferryman_workers_short_of_memory") == 1, "it is told")
        answer = pod.post(V1, FLOWERS)
        workers = pod.workers()
        wanted = pod.count("ferryman_workers_wanted")

    assert answer.status_code == 200
    assert len(workers) == 1
    assert wanted == 2
    said = [line for line in pod.log.read_text().splitlines() if "no room for another" in line]
    assert len(said) == 1
    assert "1 of 2 workers: no room for another, 2 of them could take" in said[0]


def test_by_default_a_second_worker_comes_when_the_first_is_busy_and_not_before(shelf, tmp_path):
    with pods.narrow(shelf.onnx(), tmp_path, "two cores and 4 GiB") as pod:
        pod.until_workers(1)
        idle = pod.count("ferryman_workers_wanted"), len(pod.workers())
        with Clients(pod.address, 4), Clients(pod.address, 4):
            pod.until_workers(2)

    assert idle == (2, 1)


def test_a_model_that_does_not_load_ends_the_pod_with_its_reason(shelf, tmp_path):
    with pods.pod(shelf.joblib(), tmp_path) as pod:
        code = pod.exit_code()

    words = json.loads(pod.termination_log.read_text())
    assert code == 1
    assert words["reason"] == "UntrustedFormat"
    assert 'Model "iris" is a pickle ("model.joblib")' in words["message"]
    assert "Traceback" not in pod.log.read_text()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (signal.SIGSEGV, "its log has its last words"),
        (signal.SIGKILL, "the kernel does that where memory runs out: give the pod more"),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_a_pod_whose_last_worker_dies_says_that_it_crashed_and_of_what(shelf, tmp_path, number, hint):
    with pods.narrow(shelf.onnx(), tmp_path, "two workers in 128 MiB") as pod:
        pod.until_workers(1)
        os.kill(pod.workers()[0], number)
        code = pod.exit_code()

    assert code == 128 + number
    assert json.loads(pod.termination_log.read_text()) == {
        "reason": "Crashed",
        "message": f'Model "iris": worker 1 was ended by {number.name} while it was serving; {hint}.',
    }


def test_a_pod_that_is_killed_as_a_whole_leaves_word_and_one_that_is_stopped_leaves_none(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path) as pod:
        pod.until_ready()
        serving = json.loads(pod.termination_log.read_text())
        pod.tell_to_stop()
        pod.exit_code()

    assert serving["reason"] == "Crashed"
    assert pod.termination_log.read_text() == ""


def test_a_pod_that_may_open_no_more_files_serves_on_and_accepts_again_when_it_may(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path) as pod:
        pod.until_workers(2)
        with httpx.Client(base_url=pod.address, timeout=30) as known, httpx.Client(base_url=pod.address) as stranger:

            def paused() -> float:
                page = known.get("/metrics").text
                return float(re.search(r"^ferryman_connections_unaccepted_total\S* (\S+)", page, re.MULTILINE)[1])

            paused()  # it is connected
            _, most = resource.prlimit(pod.popen.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pod.popen.pid, resource.RLIMIT_NOFILE, (3, most))
            with ThreadPoolExecutor(1) as thread:
                answer = thread.submit(stranger.get, "/healthz", timeout=60)
                process.until(lambda: paused() >= 1, "it is known that one waits")
                began, spent = paused(), _processor_seconds(pod.popen.pid)
                process.until(lambda: paused() >= began + 2, "it is tried again")
                spent = _processor_seconds(pod.popen.pid) - spent
                resource.prlimit(pod.popen.pid, resource.RLIMIT_NOFILE, (most, most))
                status = answer.result().status_code

    assert status == 200
    assert spent < 0.5  # in two seconds or more
    assert pod.log.read_text().count("raise the limit of open files") == 1


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_workers_do_not_outlive_their_parent(shelf, tmp_path):
    with pods.pod(shelf.onnx(), tmp_path) as pod:
        pod.until_workers(2)
        workers = pod.workers()
        pod.popen.kill()
        pod.popen.wait()

        process.until(lambda: not any(_lives(pid) for pid in workers), "all are gone")


def test_the_parent_stays_small():
    told = (
        "import sys, ferryman_server.workers.parent; "
        "print(sorted({'numpy', 'uvicorn', 'uvloop', 'prometheus_client', 'msgspec'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    said = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True, env=env).stdout

    assert said.strip() == "[]"


def test_at_a_terminal_several_workers_greet_once_and_end_together(shelf, tmp_path):
    with commanding.served(tmp_path, "--model", shelf.onnx(), FERRYMAN_WORKERS="2") as server:
        children = Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/children")
        process.until(lambda: len(children.read_text().split()) == 2, "there are two")
        workers = [int(pid) for pid in children.read_text().split()]
        status, _ = server.ask()
        greetings = server.greeting.count("Ctrl-C ends it.")
        code = server.interrupted()
        process.until(lambda: not any(_lives(pid) for pid in workers), "all are gone")

    assert status == 200
    assert greetings == 1
    assert code == 0


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # one that nobody has waited for
