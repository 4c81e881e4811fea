"""KServe's and Triton's own gRPC clients, against a real process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from server import iris, process


@pytest.fixture(scope="module")
def address(shelf, tmp_path_factory):
    port = str(process.free_port())
    with process.server(shelf.onnx(), tmp_path_factory.mktemp("grpc"), FERRYMAN_GRPC_PORT=port) as running:
        running.until_ready()
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("binary", [True, False])
async def test_kserves_client_asks_everything_it_can_ask(address, binary):
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    tensor = InferInput("X", [3, 4], "FP32")
    tensor.set_data_from_numpy(np.array(iris.FLOWERS, dtype=np.float32), binary_data=binary)
    async with InferenceGRPCClient(address) as client:
        answer = await client.infer(InferRequest("iris", [tensor], request_id="42"))
        live, ready = await client.is_server_live(), await client.is_server_ready()
        model_ready = await client.is_model_ready("iris")

    assert answer.outputs[0].as_numpy().tolist() == iris.KINDS
    assert answer.outputs[1].as_numpy().shape == (3, 3)
    assert (answer.id, answer.model_version) == ("42", "7")
    assert (live, ready, model_ready) == (True, True, True)


def test_tritons_client_asks_everything_it_can_ask(address):
    """In a process of its own: its messages and KServe's have the same names and cannot meet in one."""
    script = Path(__file__).with_name("triton_calls.py")
    told = subprocess.run(
        [sys.executable, str(script), address], capture_output=True, text=True, check=False, timeout=60
    )

    assert told.returncode == 0, told.stderr
    said = json.loads(told.stdout)
    assert said == {
        "live": True,
        "ready": True,
        "model_ready": True,
        "server": {"name": "ferryman", "version": "0.1.0", "extensions": ["binary_tensor_data"]},
        "metadata": {
            "name": "iris",
            "versions": ["7"],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": "X", "datatype": "FP32", "shape": ["-1", "4"]}],
            "outputs": [
                {"name": "label", "datatype": "INT64", "shape": ["-1"]},
                {"name": "probabilities", "datatype": "FP32", "shape": ["-1", "3"]},
            ],
        },
        "labels": iris.KINDS,
        "asked_for": [3, 3],
        "unknown": [
            "StatusCode.NOT_FOUND",
            'There is no model "rose" here; this server has "iris".',
        ],
    }
