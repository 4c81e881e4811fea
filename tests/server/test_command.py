"""The server on somebody's own machine, from the command line to Ctrl-C: real processes, a real shell, real curl."""

import contextlib
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import httpx
from server import commanding, iris, process

_SLOW = """
import time
import mlflow

class Slow(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        time.sleep(float(model_input["seconds"].max()))
        return model_input["seconds"].to_numpy()

mlflow.models.set_model(Slow())
"""


def test_a_model_file_is_served_where_it_lies_and_the_curl_line_works(shelf, tmp_path):
    model = shelf.joblib() / "model.joblib"

    with commanding.served(tmp_path, "--model", model, "--allow-pickle", "--no-optimize") as server:
        status, answer = server.ask()
        page = httpx.get(f"{server.address}/docs")
        code = server.interrupted()

    assert (status, json.loads(answer)) == (200, {"predictions": [0]})
    assert server.address.startswith("http://127.0.0.1:")
    assert f"docs     {server.address}/docs" in server.greeting
    assert page.status_code == 200
    assert code == 0


def test_the_curl_line_asks_what_the_model_keeps_as_its_example(shelf, tmp_path):
    shutil.copytree(shelf.mlflow_sklearn(), tmp_path / "it's iris")
    example = {"dataframe_split": {"columns": iris.NAMES, "data": [iris.FLOWERS[2], iris.FLOWERS[0]]}}
    (tmp_path / "it's iris/serving_input_example.json").write_text(json.dumps(example))

    with commanding.served(tmp_path, "--model", "it's iris", "--allow-pickle", "--no-optimize") as server:
        status, answer = server.ask()

    assert (status, json.loads(answer)) == (200, {"predictions": [2]})
    assert "/v1/models/it-s-iris:predict" in server.greeting
    assert '"petal length (cm)":6.0' in server.greeting


def test_a_long_example_is_sent_from_a_file(tmp_path):
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    wide = LinearRegression().fit(np.eye(900), np.arange(900.0))
    graph = to_onnx(wide, np.zeros((1, 900), dtype=np.float32))
    (tmp_path / "wide.onnx").write_bytes(graph.SerializeToString())

    with commanding.served(tmp_path, "--model", "wide.onnx") as server:
        status, answer = server.ask()

    assert status == 200
    assert len(json.loads(answer)["predictions"]) == 1
    assert f"-d @{tmp_path}/.cache/ferryman/examples/wide.json" in server.greeting


def test_a_model_that_does_not_say_what_it_takes_has_no_curl_line(tmp_path):
    import pickle

    from sklearn.preprocessing import FunctionTransformer

    (tmp_path / "any.pkl").write_bytes(pickle.dumps(FunctionTransformer()))

    with commanding.served(tmp_path, "--model", "any.pkl", "--allow-pickle") as server:
        page = httpx.get(f"{server.address}/docs")

    assert "curl" not in server.greeting
    assert "The model does not say what it takes; the docs page shows how to ask." in server.greeting
    assert page.status_code == 200


def test_a_pickle_is_refused_with_the_flag_that_would_open_it(shelf, tmp_path):
    code, said = commanding.ends(tmp_path, "--model", shelf.joblib() / "model.joblib", "--port", 0)

    last = " ".join(said.splitlines()[-3:])
    assert code == 1
    assert last.startswith('Model "model" is a pickle ("model.joblib"), which can run code when it is opened')
    assert last.endswith("or add --allow-pickle if you trust who made it.")
    assert "Traceback" not in said


def test_a_taken_port_is_said_with_one_that_is_free(shelf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = commanding.ends(tmp_path, "--model", shelf.onnx(), "--port", port)

    told = re.fullmatch(rf"Port {port} is taken; --port (\d+) is free\.\n", said)
    assert code == 1
    assert told
    with socket.create_server(("127.0.0.1", int(told[1]))):
        pass


def test_ctrl_c_does_not_wait_for_a_slow_prediction(tmp_path):
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    (tmp_path / "slow.py").write_text(_SLOW)
    signature = ModelSignature(Schema([ColSpec("double", "seconds")]))
    mlflow.pyfunc.save_model(
        tmp_path / "model", python_model=str(tmp_path / "slow.py"), signature=signature, pip_requirements=["mlflow"]
    )

    with (
        commanding.served(tmp_path, "--model", "model", "--allow-pickle") as server,
        httpx.Client(base_url=server.address, timeout=60) as http,
    ):

        def ask() -> None:
            with contextlib.suppress(httpx.TransportError):
                http.post("/v1/models/model:predict", json={"instances": [[50.0]]})

        slow = threading.Thread(target=ask)
        slow.start()
        busy = 'ferryman_requests_in_flight{model="model",protocol="v1",revision="",version=""} 1'
        process.until(lambda: busy in httpx.get(f"{server.address}/metrics").text, "the prediction is on its way")
        began = time.monotonic()
        code = server.interrupted()
        took = time.monotonic() - began
        slow.join()

    assert code == 0
    assert took < 5


def test_a_terminal_shows_what_goes_on_in_one_line_that_fits_and_goes_away(shelf, tmp_path):
    name = "a-name-that-is-longer-than-the-terminal-is-wide"
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    size = {"COLUMNS": "40", "LINES": "20"}
    popen = subprocess.Popen(
        commanding.command("--model", shelf.onnx(), "--port", 0, "--name", name),
        env=commanding.environment(tmp_path, **size), stdin=theirs, stdout=theirs, stderr=theirs,
        cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while b"Ctrl-C ends it." not in seen:
            assert select.select([ours], [], [], 60)[0], seen
            seen += os.read(ours, 65536)
    finally:
        popen.kill()
        popen.wait()
        os.close(ours)

    drawn = [part for part in seen.decode().split("\r\x1b[K") if part.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"))]
    assert drawn
    assert drawn[0] == "⠋ Loading a-name-th…he-terminal-is-wide"
    assert max(len(line) for line in drawn) < 40
    assert seen.decode().rpartition("\r\x1b[K")[2].lstrip().startswith(f"{name} is ready: onnx_onnxv1")


def test_a_wrong_option_is_said_with_what_would_do(tmp_path):
    assert commanding.ends(tmp_path, "--model", "m", "--name", "a/b")[0] == 2
    assert "use letters, digits" in commanding.ends(tmp_path, "--model", "m", "--name", "a/b")[1]
    assert "use a number up to 65535" in commanding.ends(tmp_path, "--model", "m", "--port", "http")[1]
    assert "There is nothing at" in commanding.ends(tmp_path, "--model", "m", "--port", 0)[1]
