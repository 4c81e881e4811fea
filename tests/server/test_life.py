"""A real process from start to stop: nothing is lost on the way out, nothing is promised too early."""

import asyncio
import json
import socket
import threading
import time

import httpx
from server import iris, process

V1 = "/v1/models/iris:predict"
FLOWERS = {"instances": iris.FLOWERS}


def test_liveness_answers_before_the_model_is_loaded_and_readiness_only_after(shelf, tmp_path):
    with process.server(shelf.mlflow_sklearn(), tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        process.until(lambda: running.get("/healthz").status_code == 200, "alive")
        early = running.get("/readyz")
        refused = running.post(V1, FLOWERS)
        running.until_ready()
        answer = running.post(V1, FLOWERS)

    assert (early.status_code, early.json()["phase"]) == (503, "loading")
    assert early.json()["error"] == 'Model "iris" is still loading.'
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"predictions": iris.KINDS}


def test_a_server_that_is_killed_while_it_serves_has_left_word_and_one_that_is_stopped_leaves_none(shelf, tmp_path):
    (tmp_path / "killed").mkdir()
    with process.server(shelf.onnx(), tmp_path / "killed") as killed:
        killed.until_ready()
        killed.popen.kill()
        killed.exit_code()
    with process.server(shelf.onnx(), tmp_path) as stopped:
        stopped.until_ready()
        stopped.tell_to_stop()
        stopped.exit_code()

    words = json.loads(killed.termination_log.read_text())
    assert words["reason"] == "Crashed"
    assert words["message"].startswith('Model "iris": the server process ended suddenly while it was serving; exit')
    assert stopped.termination_log.read_text() == ""


def test_a_model_that_does_not_load_ends_the_process_with_its_reason(shelf, tmp_path):
    with process.server(shelf.joblib(), tmp_path) as running:
        code = running.exit_code()

    words = json.loads(running.termination_log.read_text())
    assert code == 1
    assert words["reason"] == "UntrustedFormat"
    assert 'Model "iris" is a pickle ("model.joblib")' in words["message"]
    assert "Traceback" not in running.log.read_text()


def test_a_taken_port_is_said_at_once(shelf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process.server(shelf.onnx(), tmp_path, FERRYMAN_PORT=port) as running:
            code = running.exit_code()

    assert code == 1
    assert f"Port {port} cannot be listened on" in json.loads(running.termination_log.read_text())["message"]


def test_a_model_that_cannot_predict_its_own_example_never_becomes_ready(shelf, tmp_path):
    import shutil

    shutil.copytree(shelf.mlflow_sklearn(), tmp_path / "model")
    example = {"dataframe_split": {"columns": iris.NAMES, "data": [[None, 1, 2, 3]]}}
    (tmp_path / "model/serving_input_example.json").write_text(json.dumps(example))

    with process.server(tmp_path / "model", tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        code = running.exit_code()

    words = json.loads(running.termination_log.read_text())
    assert (code, words["reason"]) == (1, "WarmupFailed")
    assert "cannot predict its own input example" in words["message"]


def test_a_slow_prediction_does_not_keep_the_probes_waiting(slow_model, tmp_path):
    with process.server(slow_model, tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        running.until_ready()
        slow = threading.Thread(target=running.post, args=(V1, {"instances": [[2.0]]}))
        slow.start()
        process.until(lambda: running.in_flight() == 1, "the prediction is on its way")
        waits = []
        with httpx.Client(base_url=running.address) as probe:
            for _ in range(20):
                began = time.perf_counter()
                assert probe.get("/healthz").status_code == 200
                waits.append(time.perf_counter() - began)
        still_slow = slow.is_alive()
        slow.join()

    assert still_slow
    assert sorted(waits)[len(waits) // 2] < 0.05


async def test_a_stop_loses_no_request(slow_model, tmp_path):
    with process.server(
        slow_model, tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_DRAIN_SECONDS="1", FERRYMAN_MAX_BATCH_SIZE="4"
    ) as running:
        running.until_ready()
        codes: list[int] = []
        stopped = asyncio.Event()

        async def prober(http: httpx.AsyncClient) -> None:
            while not stopped.is_set():
                try:
                    answer = await http.post(V1, json={"instances": [[0.01]]})
                except httpx.ConnectError:  # nobody listens any more: the mesh would have gone elsewhere
                    return
                codes.append(answer.status_code)

        async with httpx.AsyncClient(base_url=running.address, timeout=30) as http:
            probers = [asyncio.create_task(prober(http)) for _ in range(8)]
            long = asyncio.create_task(http.post(V1, json={"instances": [[2.0]]}))
            while len(codes) < 20:
                await asyncio.sleep(0.01)
            running.tell_to_stop()
            while (ready := await http.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.01)
            during = await http.post(V1, json={"instances": [[0.01]]})
            await asyncio.gather(*probers)
            last = await long
        code = running.exit_code()

    assert code == 0
    assert ready.json()["phase"] == "draining"
    assert (during.status_code, during.headers["connection"]) == (200, "close")
    assert set(codes) == {200}
    assert last.json() == {"predictions": [2.0]}


def test_a_stop_while_loading_is_quick(shelf, tmp_path):
    with process.server(
        shelf.mlflow_sklearn(), tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_DRAIN_SECONDS="60"
    ) as running:
        process.until(lambda: running.get("/healthz").status_code == 200, "alive")
        running.tell_to_stop()

        assert running.exit_code() == 0
