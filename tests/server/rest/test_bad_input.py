"""What bad input gets: a status, a sentence in JSON, and never a stack trace."""

import gzip
import json
import zlib

import numpy as np
import pytest
from server import iris, plain

from ferryman_server.dataplane.errors import OverloadedError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix

V1, V2, INVOKE = "/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1, 4], "data": iris.FLOWERS[0]}


def _v2(**changed: object) -> dict[str, object]:
    tensor = {key: value for key, value in {**TENSOR, **changed}.items() if value is not ...}
    return {"inputs": [tensor]}


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (V1, b"", 400, "not valid JSON"),
        (V1, b"{", 400, "not valid JSON"),
        (V1, b'{"instances": [[NaN]]}', 400, "not valid JSON"),
        (V1, b"\xff\xfe", 400, "not valid JSON"),
        (V1, b"[" * 200_000, 400, "not valid JSON"),
        (V1, b"[1]", 400, "must be a JSON object, got list"),
        (V1, {}, 400, '"instances", a list of rows, or else "inputs", columns; it has nothing'),
        (V1, {"instances": [[1]], "inputs": [[1]]}, 400, 'it has "instances", "inputs"'),
        (
            V1,
            {"signature_name": "regress", "instances": [[1]]},
            400,
            'no signature "regress"; it has "serving_default"',
        ),
        (V1, {"inputs": {"input": [[1, 2, 3]]}}, 400, '"inputs.input[0]" must have 4 values a row'),
        (V1, {"inputs": 3}, 400, '"inputs" must be a list of rows, got the number 3'),
        (V1, {"data": [1]}, 400, 'it has "data"'),
        (V1, {"instances": 7}, 400, '"instances" must be a list of rows, got the number 7'),
        (V1, {"instances": []}, 400, "is empty"),
        (V1, {"instances": [[1, 2, 3]]}, 400, '"instances[0]" must have 4 values a row (sepal length (cm), '),
        (V1, {"instances": [[1, 2, 3, 4], [1, 2, 3, 4, 5]]}, 400, '"instances[1]" must have 4 values a row'),
        (V1, {"instances": [[1, 2, "three", 4]]}, 400, '"instances[0][2]" (petal length (cm)) must be a number'),
        (V1, {"instances": [[1, 2, True, 4]]}, 400, "must be a number (FP64), got true"),
        (V1, {"instances": [[1, 2, [3], 4]]}, 400, "must be a number (FP64), got a list of 1"),
        (V1, {"instances": [[1, 2, None, 4]]}, 400, "The model does not take these values: Input X contains NaN"),
        (V1, {"instances": [{"sepal length (cm)": 1}]}, 400, 'misses "petal length (cm)", "petal width (cm)"'),
        (
            V1,
            {"instances": [dict.fromkeys([*iris.NAMES, "extra"], 1)]},
            400,
            'has "extra", which the model does not know',
        ),
        (V2, {"inputs": 3}, 400, '"inputs", a list of tensors'),
        (V2, {"inputs": []}, 400, '"inputs" is empty'),
        (V2, {"inputs": ["x"]}, 400, '"inputs[0]" must be an object with name, datatype, shape and data'),
        (V2, _v2(data=...), 400, '"inputs[0]" misses data'),
        (V2, _v2(datatype="FP128"), 400, "known are BOOL"),
        (V2, _v2(datatype="BYTES", data=["a"] * 4), 400, 'Input "x" must have datatype FP64, got BYTES'),
        (V2, _v2(shape=[1, 5]), 400, 'Input "x" must have shape [-1, 4]'),
        (V2, _v2(shape=[4]), 400, "got [4]"),
        (V2, _v2(shape=[2, 4]), 400, "must have 8 values for shape [2, 4], got 4"),
        (V2, _v2(shape=[0, 4], data=[]), 400, "have no rows"),
        (V2, _v2(shape=[-1, 4]), 400, '"shape" must be a list of sizes'),
        (V2, _v2(shape=[1, 4.0]), 400, '"shape" must be a list of sizes'),
        (V2, _v2(data=[1, 2, 3, "x"]), 400, 'Input "x", element 3, must be a number (FP64), got the string "x"'),
        (V2, {"inputs": [TENSOR, TENSOR]}, 400, "names a tensor twice"),
        (V2, {**_v2(), "outputs": [{"name": "nope"}]}, 400, 'has no output "nope"; it has "predict"'),
        (V2, {**_v2(), "outputs": [1]}, 400, '"outputs" must be a list of objects'),
        (INVOKE, {}, 400, "exactly one of dataframe_split, dataframe_records, instances, inputs; it has nothing"),
        (INVOKE, {"instances": [[1]], "inputs": [[1]]}, 400, "exactly one of"),
        (INVOKE, {"dataframe_split": [1]}, 400, 'an object with "columns" and "data"'),
        (
            INVOKE,
            {"dataframe_split": {"columns": ["a"], "data": [[1]]}},
            400,
            'has "a", which the model does not know',
        ),
        (INVOKE, {"dataframe_records": [1]}, 400, '"dataframe_records[0]" must be a row'),
        (INVOKE, {"inputs": {"a": 3}}, 400, '"inputs.a" must be a list'),
        (INVOKE, {"instances": iris.FLOWERS, "params": {"x": 1}}, 400, '"params" are not taken here'),
        ("/v1/models/rose:predict", {}, 404, 'There is no model "rose" here; this server has "iris"'),
        ("/v2/models/rose/infer", {}, 404, 'There is no model "rose" here; this server has "iris"'),
        ("/v2/models/iris/versions/9/infer", {}, 404, 'no version "9" here; this server has version "7"'),
        ("/v1/models/iris/versions/9:predict", {}, 404, 'no version "9" here; this server has version "7"'),
        ("/v1/models/iris:classify", {}, 404, 'no verb "classify"; use :predict'),
        ("/v1/models/iris:explain", {}, 404, 'no verb "explain"; use :predict'),
        ("/v1/models/iris", {}, 405, "use GET"),
        ("/docs", {}, 405, "use GET"),
        ("/predict", {}, 404, "Nothing is at /predict; predictions are at /invocations, /v1/models/iris"),
        ("/predictions/iris", {}, 404, "predictions are at /invocations"),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(shelf, path, body, status, told):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await http.post(path, content=content, headers={"content-type": "application/json"})
        after = await http.post(V1, json={"instances": iris.FLOWERS})

    assert answer.status_code == status, answer.text
    assert told in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert answer.headers["x-ferryman-revision"] == "iris-0a1b2c3d"
    assert after.json() == {"predictions": iris.KINDS}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff", "not valid CSV"),
        (b"a,b\n", "a header and at least one row"),
        (b"a,b\n1\n", "Row 0 of the CSV has 1 cells; the header has 2"),
        (b"a,b\n1,2\n", "which the model does not know"),
    ],
)
async def test_bad_csv_is_refused_with_a_sentence(shelf, body, told):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        answer = await http.post(INVOKE, content=body, headers={"content-type": "text/csv"})

    assert answer.status_code == 400
    assert told in answer.json()["error"]


async def test_another_content_type_is_refused_by_name(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(V1, content=b"<x/>", headers={"content-type": "text/xml; charset=utf-8"})

    assert answer.status_code == 415
    assert answer.json() == {"error": 'Content type "text/xml" is not taken here; send application/json.'}


async def test_a_body_over_the_limit_is_not_read(shelf):
    async with plain.client(plain.load(shelf.onnx()), max_body_bytes=100) as http:
        declared = await http.post(V1, content=b"x" * 101)
        streamed = await http.post(V1, content=_stream(b"x" * 60, b"x" * 60))
        within = await http.post(V1, json={"instances": iris.FLOWERS[:1]})

    assert (declared.status_code, streamed.status_code, within.status_code) == (413, 413, 200)
    assert "The body may have 100 bytes, and it has 101 bytes" in declared.json()["error"]


async def test_more_rows_than_one_request_may_have_are_refused_in_each_protocols_words(shelf):
    three, flowers = iris.FLOWERS[:3], [value for flower in iris.FLOWERS[:3] for value in flower]
    tensor = {"name": "X", "datatype": "FP32", "shape": [3, 4], "data": flowers}
    async with plain.client(plain.load(shelf.onnx()), max_rows=2) as http:
        within = await http.post(V1, json={"instances": three[:2]})
        v1 = await http.post(V1, json={"instances": three})
        v2 = await http.post(V2, json={"inputs": [tensor]})
        mlflow = await http.post(INVOKE, json={"instances": three})

    told = "A request may have 2 rows, and this one has 3; send fewer at a time."
    assert within.status_code == 200
    assert [(one.status_code, one.json()["error"]) for one in (v1, v2, mlflow)] == [(413, told)] * 3
    assert mlflow.json()["message"] == told


async def test_a_number_that_would_become_infinite_in_the_models_type_is_named():
    model = Model("test", matrix(2, Kind.FP32), lambda rows: {"y": rows.arrays[0][:, 0]})
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 1e39]}
    values = np.array([1.0, 1e39]).tobytes()
    head = json.dumps({"inputs": [{**tensor, "data": None, "parameters": {"binary_data_size": 16}}]}).encode()
    async with plain.client(model) as http:
        v1 = await http.post(V1, json={"instances": [[1.0, 1e39]]})
        whole = await http.post(V1, json={"instances": [[1.0, 10**39]]})
        v2 = await http.post(V2, json={"inputs": [tensor]})
        raw = await http.post(V2, content=head + values, headers={"inference-header-content-length": str(len(head))})
        mlflow = await http.post(INVOKE, json={"dataframe_split": {"data": [[1.0, -1e39]]}})
        largest = await http.post(V1, json={"instances": [[3.4028235e38, None]]})
        infinite = await http.post(INVOKE, content=b'{"instances": [[Infinity, 1.0]]}')

    told = "which does not fit FP32."
    assert [one.status_code for one in (v1, whole, v2, raw, mlflow)] == [400] * 5
    assert v1.json()["error"] == f'"instances[0][1]" is 1e+39, {told}'
    assert v2.json()["error"] == raw.json()["error"] == f'Input "x", element 1, is 1e+39, {told}'
    assert mlflow.json()["error"] == f'"data[0][1]" is -1e+39, {told}'
    assert largest.json() == {"predictions": [3.4028234663852886e38]}
    assert infinite.status_code == 200


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "GZIP": gzip.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("path", [V1, INVOKE])
async def test_a_body_that_its_client_compressed_is_unpacked(coding, path):
    body = PACKED[coding](json.dumps({"instances": iris.FLOWERS}).encode())
    async with plain.client(Model("test", matrix(4), lambda rows: {"y": rows.arrays[0][:, 0]})) as http:
        headers = {"content-encoding": coding, "content-type": "application/json"}
        answer = await http.post(path, content=body, headers=headers)

    assert answer.json() == {"predictions": [flower[0] for flower in iris.FLOWERS]}


@pytest.mark.parametrize(
    ("coding", "body", "status", "told"),
    [
        ("br", b"{}", 415, 'The body is compressed with "br"; known are gzip and deflate.'),
        ("gzip, gzip", b"{}", 415, 'compressed with "gzip, gzip"'),
        ("gzip", b'{"instances": []}', 400, "The body is compressed with gzip, and cannot be read."),
        ("gzip", gzip.compress(b"{}")[:-3], 400, "cannot be read"),
        ("gzip", gzip.compress(b"{}") + b"more", 400, "cannot be read"),
        ("gzip", gzip.compress(b" " * 3_000_000), 413, "The body may have 1048576 bytes when it is unpacked"),
        ("deflate", zlib.compress(b"12" * 6_000), 413, "The body may have 10000 bytes when it is unpacked"),
    ],
)
async def test_a_compressed_body_that_cannot_be_taken_is_refused_for_what_it_is(shelf, coding, body, status, told):
    most = 10_000 if coding == "deflate" else 64 << 20
    async with plain.client(plain.load(shelf.onnx()), max_body_bytes=most) as http:
        answer = await http.post(V1, content=body, headers={"content-encoding": coding})
        mlflow = await http.post(INVOKE, content=body, headers={"content-encoding": coding})

    assert (answer.status_code, mlflow.status_code) == (status, status)
    assert told in answer.json()["error"]
    assert mlflow.json()["message"] == answer.json()["error"]
    assert answer.headers.get("accept-encoding") == ("gzip, deflate" if status == 415 else None)


async def _stream(*parts: bytes):
    for part in parts:
        yield part


async def test_the_wrong_method_and_the_wrong_path_say_what_is_right(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        method, path = await http.get(V1), await http.get("/predict")

    assert (method.status_code, method.headers["allow"]) == (405, "POST")
    assert path.status_code == 404
    assert "/v1/models/iris:predict" in path.json()["error"]


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), KeyboardInterrupt(), MemoryError()])
async def test_no_way_of_breaking_takes_the_server_along(error):
    def predict(rows):
        if rows.arrays[0].max() > 1:
            raise error
        return {"predict": rows.arrays[0]}

    async with plain.client(Model("test", matrix(1), predict)) as http:
        broken = await http.post(V1, json={"instances": [[2]]})
        well = await http.post(V1, json={"instances": [[1]]})

    assert (broken.status_code, well.status_code) == (500, 200)


async def test_a_model_that_breaks_gives_an_id_and_keeps_its_secrets(capfd):
    def predict(rows):
        raise RuntimeError("secret of the house")

    async with plain.client(Model("test", matrix(1), predict)) as http:
        answer = await http.post(V1, json={"instances": [[1]]})

    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json()["request_id"] == request_id
    assert "secret" not in answer.text
    assert f"Request {request_id} failed: RuntimeError: secret of the house" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("no"), 500, "INTERNAL_ERROR"),
        (OverloadedError("full"), 503, "TEMPORARILY_UNAVAILABLE"),
        (ValueError("odd"), 400, "BAD_REQUEST"),
    ],
)
async def test_mlflows_clients_are_told_in_their_own_form(error, status, code):
    def predict(rows):
        raise error

    async with plain.client(Model("test", matrix(1), predict)) as http:
        answer = await http.post("/invocations", json={"inputs": [[1]]})

    told = answer.json()
    assert (answer.status_code, told["error_code"]) == (status, code)
    assert told["message"] == told["error"]


async def test_a_request_id_goes_into_the_log_without_what_a_terminal_would_obey(capfd):
    def predict(rows):
        raise RuntimeError("no")

    async with plain.client(Model("test", matrix(1), predict)) as http:
        await http.post(V1, json={"instances": [[1]]}, headers={"x-request-id": b"a\x9b2Jb"})

    said = capfd.readouterr().err
    assert "a\\x9b2Jb" in said
    assert "\x9b" not in said
