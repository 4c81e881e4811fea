"""KServe's own inference client, against a real process."""

import numpy as np
import pytest
from server import iris, process


@pytest.fixture(scope="module")
def running(shelf, tmp_path_factory):
    with process.server(shelf.onnx(), tmp_path_factory.mktemp("kserve")) as server:
        server.until_ready()
        yield server


async def test_kserves_client_speaks_v1(running):
    from kserve import InferenceRESTClient, RESTConfig

    client = InferenceRESTClient(RESTConfig(protocol="v1"))

    answer = await client.infer(running.address, {"instances": iris.FLOWERS}, model_name="iris")
    ready = await client.is_model_ready(running.address, "iris")
    live = await client.is_server_live(running.address)

    assert live
    assert [one["label"] for one in answer["predictions"]] == iris.KINDS
    assert ready


async def test_kserves_client_speaks_v2(running):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    tensor = InferInput("X", [3, 4], "FP32")
    tensor.set_data_from_numpy(np.array(iris.FLOWERS, dtype=np.float32), binary_data=False)

    answer = await client.infer(running.address, InferRequest("iris", [tensor]), model_name="iris")
    ready = await client.is_model_ready(running.address, "iris")
    live, server_ready = await client.is_server_live(running.address), await client.is_server_ready(running.address)

    assert answer.outputs[0].as_numpy().tolist() == iris.KINDS
    assert ready
    assert live
    assert server_ready
