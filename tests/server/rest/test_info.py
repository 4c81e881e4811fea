"""Everything that is not a prediction."""

import pytest
from server import iris, plain


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/healthz", {"live": True}),
        ("/readyz", {"name": "iris", "ready": True, "phase": "ready"}),
        ("/ping", {"name": "iris", "ready": True, "phase": "ready"}),
        ("/v1/models", {"models": ["iris"]}),
        ("/v2/models", {"models": ["iris"]}),
        ("/", {"status": "alive", "docs": "/docs"}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"name": "iris", "ready": True, "phase": "ready"}),
        ("/v2/models/iris/ready", {"name": "iris", "ready": True, "phase": "ready"}),
        ("/v2/models/iris/versions/7/ready", {"name": "iris", "ready": True, "phase": "ready"}),
        ("/version", {"version": "0.1.0"}),
        ("/v2", {"name": "ferryman", "version": "0.1.0", "extensions": ["binary_tensor_data"]}),
    ],
)
async def test_each_probe_and_status_path_answers(shelf, path, wanted):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.get(path)

    assert (answer.status_code, answer.json()) == (200, wanted)
    assert answer.headers["x-ferryman-revision"] == "iris-0a1b2c3d"


async def test_metadata_tells_what_goes_in_what_comes_out_and_whose_columns(shelf):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        told = (await http.get("/v2/models/iris")).json()

    assert told["platform"] == "sklearn"
    assert told["versions"] == ["7"]
    assert told["inputs"] == [
        {"name": "input", "datatype": "FP64", "shape": [-1, 4], "parameters": {"columns": iris.NAMES}}
    ]
    assert told["parameters"]["revision"] == "iris-0a1b2c3d"


async def test_metadata_tells_which_runtime_answers_and_why(shelf):
    async with plain.client(plain.load(shelf.joblib(), optimize=True)) as http:
        told = (await http.get("/v2/models/iris")).json()["parameters"]

    assert told["runtime"] == "onnx"
    assert told["runtime_reason"] == "400 rows were answered alike"
    assert told["precision"] == "double"
    assert set(told["packages"]) == {"onnxruntime", "scikit-learn"}


async def test_metrics_count_requests_by_protocol_and_code(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        await http.post("/v1/models/iris:predict", json={"instances": iris.FLOWERS})
        await http.post("/v1/models/iris:predict", json={"instances": [[1]]})
        page = (await http.get("/metrics")).text

    labels = 'model="iris",protocol="v1",revision="iris-0a1b2c3d",version="7"'
    assert f'ferryman_requests_total{{code="200",{labels}}} 1.0' in page
    assert f'ferryman_requests_total{{code="400",{labels}}} 1.0' in page
    assert f"ferryman_requests_in_flight{{{labels}}} 0.0" in page
    assert f"ferryman_request_duration_seconds_count{{{labels}}} 2.0" in page
    plain_labels = 'model="iris",revision="iris-0a1b2c3d",version="7"'
    assert f"ferryman_batch_rows_sum{{{plain_labels}}} 3.0" in page
    assert f'ferryman_predict_duration_seconds_bucket{{le="0.0005",{plain_labels}}}' in page
