"""The binary tensor extension: bytes in, bytes out, and what lying sizes get."""

import json

import numpy as np
import pytest
from server import iris, plain, process

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Tensor, Tensors

PATH = "/v2/models/iris/infer"
FLOWERS = np.array(iris.FLOWERS, dtype=np.float32)
HEAD = {"name": "X", "datatype": "FP32", "shape": [3, 4], "parameters": {"binary_data_size": FLOWERS.nbytes}}


def body(head: object, *values: bytes) -> dict[str, object]:
    """A request with bytes after its JSON."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return {
        "content": text + b"".join(values),
        "headers": {"Inference-Header-Content-Length": str(len(text)), "content-type": "application/octet-stream"},
    }


def opened(answer) -> tuple[dict, bytes]:
    """An answer's JSON, and the bytes after it."""
    length = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    return json.loads(answer.content[:length]), answer.content[length:]


async def test_bytes_are_answered_with_json_unless_bytes_are_asked_for(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(PATH, **body({"inputs": [HEAD]}, FLOWERS.tobytes()))

    assert answer.headers["content-type"] == "application/json"
    assert [one["data"] for one in answer.json()["outputs"] if one["name"] == "label"] == [iris.KINDS]


async def test_all_outputs_come_as_bytes_when_the_request_says_so(shelf):
    asked = {"id": "42", "inputs": [HEAD], "parameters": {"binary_data_output": True}}
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(PATH, **body(asked, FLOWERS.tobytes()))
    told, values = opened(answer)

    assert told == {
        "model_name": "iris",
        "model_version": "7",
        "id": "42",
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [3], "parameters": {"binary_data_size": 24}},
            {"name": "probabilities", "datatype": "FP32", "shape": [3, 3], "parameters": {"binary_data_size": 36}},
        ],
    }
    assert np.frombuffer(values[:24], dtype=np.int64).tolist() == iris.KINDS
    assert np.frombuffer(values[24:], dtype=np.float32).reshape(3, 3).sum(axis=1) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("everywhere", "named", "as_bytes"),
    [(False, True, True), (True, False, False), (True, None, True), (False, None, False)],
)
async def test_what_an_output_says_of_itself_counts_more_than_what_the_request_says(
    shelf, everywhere, named, as_bytes
):
    output = {"name": "label"} if named is None else {"name": "label", "parameters": {"binary_data": named}}
    asked = {"inputs": [HEAD], "outputs": [output], "parameters": {"binary_data_output": everywhere}}
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(PATH, **body(asked, FLOWERS.tobytes()))

    assert ("inference-header-content-length" in answer.headers) is as_bytes
    assert answer.status_code == 200


async def test_an_input_as_json_may_stand_beside_one_as_bytes():
    schema = Tensors((Tensor("a", Kind.INT32, (-1,)), Tensor("b", Kind.FP32, (-1,))))
    model = Model("test", schema, lambda rows: {"sum": rows.arrays[0] + rows.arrays[1]})
    asked = {
        "inputs": [
            {"name": "a", "datatype": "INT32", "shape": [2], "data": [1, 2]},
            {"name": "b", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}},
        ]
    }
    async with plain.client(model) as http:
        answer = await http.post(PATH, **body(asked, np.array([0.5, 0.25], dtype=np.float32).tobytes()))

    assert answer.json()["outputs"][0]["data"] == [1.5, 2.25]


@pytest.mark.parametrize(
    ("kind", "values", "size"),
    [
        (Kind.BOOL, np.array([True, False]), 2),
        (Kind.INT8, np.array([-128, 127], dtype=np.int8), 2),
        (Kind.UINT64, np.array([0, 2**64 - 1], dtype=np.uint64), 16),
        (Kind.FP16, np.array([0.5, -2], dtype=np.float16), 4),
        (Kind.FP64, np.array([0.1, np.nan]), 16),
        (Kind.BYTES, np.array(["köln", ""], dtype=object), 13),
    ],
)
async def test_every_datatype_comes_back_as_it_went(kind, values, size):
    model = Model("test", Tensors((Tensor("x", kind, (-1,)),)), lambda rows: {"y": rows.arrays[0]})
    if kind is Kind.BYTES:
        sent = b"".join(len(one.encode()).to_bytes(4, "little") + one.encode() for one in values)
    else:
        sent = values.tobytes()
    asked = {
        "inputs": [{"name": "x", "datatype": kind.value, "shape": [2], "parameters": {"binary_data_size": size}}],
        "parameters": {"binary_data_output": True},
    }
    async with plain.client(model) as http:
        told, values_back = opened(await http.post(PATH, **body(asked, sent)))

    assert told["outputs"][0]["datatype"] == kind.value
    assert values_back == sent


async def test_any_byte_but_zero_is_true():
    model = Model("test", Tensors((Tensor("x", Kind.BOOL, (-1,)),)), lambda rows: {"y": rows.arrays[0]})
    head = {"name": "x", "datatype": "BOOL", "shape": [3], "parameters": {"binary_data_size": 3}}
    asked = {"inputs": [head], "parameters": {"binary_data_output": True}}
    async with plain.client(model) as http:
        answer = await http.post(PATH, **body(asked, b"\0\1\2"))

    assert opened(answer)[1] == b"\0\1\1"


def _changed(**changed: object) -> dict[str, object]:
    return {"inputs": [{**HEAD, **changed}]}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (body({"inputs": [HEAD]}, FLOWERS.tobytes()[:-1]), "says that it has 48 bytes after the JSON; 47 are left"),
        (body({"inputs": [HEAD]}), "says that it has 48 bytes after the JSON; 0 are left"),
        (body({"inputs": [HEAD]}, FLOWERS.tobytes(), b"xy"), "The body has 2 bytes after its last tensor."),
        (body({"inputs": []}, b"x"), '"inputs" is empty'),
        (
            body(_changed(parameters={"binary_data_size": 44}), FLOWERS.tobytes()[:44]),
            'Input "X" must have 48 bytes for shape [3, 4] of FP32, got 44.',
        ),
        (body(_changed(parameters={"binary_data_size": -1})), '"binary_data_size" must be a number of bytes'),
        (body(_changed(parameters={"binary_data_size": True})), '"binary_data_size" must be a number of bytes'),
        (body(_changed(parameters={"binary_data_size": "48"})), '"binary_data_size" must be a number of bytes'),
        (body(_changed(parameters=[1])), '"parameters" must be an object, got a list of 1'),
        (body(_changed(parameters={"shared_memory_region": "r"})), '"shared_memory_region" belongs to an extension'),
        (body(_changed(data=[1.0]), FLOWERS.tobytes()), 'Input "X" has its values twice'),
        (body(_changed(shape=[2**41, 4]), FLOWERS.tobytes()), '"shape" must be a list of sizes'),
        (body(_changed(shape=[0, 10**30]), FLOWERS.tobytes()), '"shape" must be a list of sizes'),
        (
            body(_changed(datatype="BYTES", shape=[12]), b"\xff\xff\xff\xff" * 12),
            "is cut short: it must have 4 bytes of length and then 4294967295 bytes, and 44 are left",
        ),
        (body({"inputs": [HEAD], "outputs": [{"name": 1}]}, FLOWERS.tobytes()), "a list of objects with a name"),
        (
            body({"inputs": [HEAD], "parameters": {"binary_data_output": "yes"}}, FLOWERS.tobytes()),
            '"binary_data_output" must be true or false',
        ),
        (body(b"{", b"}"), "The body is not valid JSON"),
        (body(b"\xff\xfe", b"}"), "The body is not valid JSON"),
    ],
)
async def test_sizes_that_lie_are_refused_with_a_sentence(shelf, sent, told):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(PATH, **sent)
        after = await http.post(PATH, **body({"inputs": [HEAD]}, FLOWERS.tobytes()))

    assert answer.status_code == 400, answer.text
    assert told in answer.json()["error"]
    assert after.status_code == 200


@pytest.mark.parametrize("length", ["9999", "-1", "1e1", "", "²", "9" * 5000])
async def test_a_length_of_json_that_cannot_be_is_refused(shelf, length):
    sent = body({"inputs": [HEAD]}, FLOWERS.tobytes())
    headers = {"inference-header-content-length": length.encode()}
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(PATH, content=sent["content"], headers=headers)

    assert answer.status_code == 400
    assert "must say how many of the body's" in answer.json()["error"]


# --- real clients ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(shelf, tmp_path_factory):
    with process.server(shelf.onnx(), tmp_path_factory.mktemp("binary")) as server:
        server.until_ready()
        yield server


@pytest.mark.parametrize("dtype", ["FP32", "FP16", "FP64"])
async def test_kserves_client_sends_bytes_and_reads_them(running, dtype):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
    from kserve.protocol.infer_type import RequestedOutput

    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    tensor = InferInput("X", [3, 4], dtype)
    tensor.set_data_from_numpy(np.array(iris.FLOWERS, dtype=Kind(dtype).dtype), binary_data=True)
    outputs = [RequestedOutput("label", {"binary_data": True}), RequestedOutput("probabilities")]

    answer = await client.infer(
        running.address, InferRequest("iris", [tensor], request_outputs=outputs), model_name="iris"
    )

    assert answer.outputs[0].as_numpy().tolist() == iris.KINDS
    assert answer.outputs[1].as_numpy().shape == (3, 3)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_tritons_client_asks_everything_it_can_ask(running, binary_in, binary_out):
    from tritonclient import http as triton
    from tritonclient.utils import InferenceServerException

    client = triton.InferenceServerClient(running.address.removeprefix("http://"))
    given = triton.InferInput("X", [3, 4], "FP32")
    given.set_data_from_numpy(FLOWERS, binary_data=binary_in)
    chosen = [triton.InferRequestedOutput("label", binary_data=binary_out)]
    answer = client.infer("iris", [given], model_version="7", outputs=chosen, request_id="42")
    everything = client.infer("iris", [given])
    with pytest.raises(InferenceServerException, match='There is no model "rose" here; this server has "iris"'):
        client.infer("rose", [given])

    assert answer.as_numpy("label").tolist() == iris.KINDS
    assert answer.get_response()["id"] == "42"
    assert everything.as_numpy("probabilities").shape == (3, 3)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("iris", "7")
    assert not client.is_model_ready("iris", "8")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("iris")["inputs"][0]["name"] == "X"
