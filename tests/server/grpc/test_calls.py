"""Each call of the protocol: tensors typed and raw, what comes back, and what is counted."""

import numpy as np
import pytest
from server import iris, plain
from server.grpc import words

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE, Tensor, Tensors, matrix
from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.serving import Phase

FLAT = [value for flower in iris.FLOWERS for value in flower]


def echo(*kinds: Kind) -> Model:
    """Gives back what it is given, by name."""
    tensors = tuple(Tensor(f"x{at}", kind, (-1, 2)) for at, kind in enumerate(kinds))
    return Model(
        "test",
        Tensors(tensors),
        lambda rows: {tensor.name: array for tensor, array in zip(tensors, rows.arrays, strict=True)},
    )


@pytest.mark.parametrize(
    ("datatype", "contents"),
    [("FP32", "fp32_contents"), ("FP64", "fp64_contents")],
)
async def test_typed_contents_are_answered_typed(shelf, datatype, contents):
    given = {"name": "X", "datatype": datatype, "shape": [3, 4], "contents": {contents: FLAT}}
    async with plain.calls(*plain.serve(plain.load(shelf.onnx()))) as address, words.client(address) as client:
        answer = await client.infer(words.request(given, id="42"))

    label, probabilities = answer.outputs
    assert (answer.model_name, answer.model_version, answer.id) == ("iris", "7", "42")
    assert (label.name, label.datatype, list(label.shape)) == ("label", "INT64", [3])
    assert list(label.contents.int64_contents) == iris.KINDS
    assert len(probabilities.contents.fp32_contents) == 9
    assert not answer.raw_output_contents


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int16])
async def test_raw_contents_are_answered_raw(shelf, dtype):
    kind = {"float32": "FP32", "float64": "FP64", "float16": "FP16", "int16": "INT16"}[np.dtype(dtype).name]
    raw = np.array(iris.FLOWERS, dtype=dtype).tobytes()
    async with plain.calls(*plain.serve(plain.load(shelf.onnx()))) as address, words.client(address) as client:
        answer = await client.infer(words.request({"name": "X", "datatype": kind, "shape": [3, 4]}, raw=[raw]))

    label, probabilities = answer.raw_output_contents
    assert np.frombuffer(label, dtype=np.int64).tolist() == iris.KINDS
    assert np.frombuffer(probabilities, dtype=np.float32).reshape(3, 3).sum(axis=1) == pytest.approx([1, 1, 1])
    assert not any(output.HasField("contents") for output in answer.outputs)


@pytest.mark.parametrize(
    ("kind", "contents", "values"),
    [
        (Kind.BOOL, "bool_contents", [True, False]),
        (Kind.INT8, "int_contents", [-128, 127]),
        (Kind.INT16, "int_contents", [-32768, 32767]),
        (Kind.INT32, "int_contents", [-(2**31), 2**31 - 1]),
        (Kind.INT64, "int64_contents", [-(2**63), 2**63 - 1]),
        (Kind.UINT8, "uint_contents", [0, 255]),
        (Kind.UINT16, "uint_contents", [0, 65535]),
        (Kind.UINT32, "uint_contents", [0, 2**32 - 1]),
        (Kind.UINT64, "uint64_contents", [0, 2**64 - 1]),
        (Kind.FP32, "fp32_contents", [0.5, -1.25]),
        (Kind.FP64, "fp64_contents", [0.1, 1e300]),
        (Kind.BYTES, "bytes_contents", [b"k\xc3\xb6ln", b""]),
    ],
)
async def test_every_datatype_comes_back_as_it_went(kind, contents, values):
    given = {"name": "x0", "datatype": kind.value, "shape": [1, 2]}
    if kind is Kind.BYTES:
        raw = b"".join(len(one).to_bytes(4, "little") + one for one in values)
    else:
        raw = np.array([values], dtype=kind.dtype).tobytes()
    async with plain.calls(*plain.serve(echo(kind))) as address, words.client(address) as client:
        typed = await client.infer(words.request({**given, "contents": {contents: values}}))
        binary = await client.infer(words.request(given, raw=[raw]))

    assert list(getattr(typed.outputs[0].contents, contents)) == values
    assert typed.outputs[0].datatype == binary.outputs[0].datatype == kind.value
    assert list(binary.raw_output_contents) == [raw]


async def test_half_precision_answers_travel_raw_whatever_was_asked():
    model = Model("test", matrix(1), lambda rows: {"half": rows.arrays[0].astype(np.float16)})
    given = {"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [0.5]}}
    async with plain.calls(*plain.serve(model)) as address, words.client(address) as client:
        answer = await client.infer(words.request(given))

    assert answer.outputs[0].datatype == "FP16"
    assert list(answer.raw_output_contents) == [np.float16(0.5).tobytes()]


async def test_a_model_may_write_into_what_came_raw():
    def predict(rows):
        rows.arrays[0][0, 0] = 7
        return {"y": rows.arrays[0]}

    given = {"name": "x", "datatype": "FP64", "shape": [1, 1]}
    async with (
        plain.calls(*plain.serve(Model("test", matrix(1), predict))) as address,
        words.client(address) as client,
    ):
        answer = await client.infer(words.request(given, raw=[np.float64(1).tobytes()]))

    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == [7.0]


async def test_a_table_comes_as_one_tensor_per_column_or_as_a_matrix(shelf):
    columns = [
        {
            "name": name,
            "datatype": "FP64",
            "shape": [3],
            "contents": {"fp64_contents": [row[at] for row in iris.FLOWERS]},
        }
        for at, name in enumerate(iris.NAMES)
    ]
    raw = [np.array([row[at] for row in iris.FLOWERS]).tobytes() for at in range(4)]
    heads = [{"name": name, "datatype": "FP64", "shape": [3, 1]} for name in iris.NAMES]
    served = plain.serve(plain.load(shelf.mlflow_sklearn()))
    async with plain.calls(*served) as address, words.client(address) as client:
        typed = await client.infer(words.request(*columns))
        binary = await client.infer(words.request(*heads, raw=raw))
        metadata = await client.call("ModelMetadata", messages.ModelMetadataRequest(name="iris"))

    assert list(typed.outputs[0].contents.int64_contents) == iris.KINDS
    assert np.frombuffer(binary.raw_output_contents[0], dtype=np.int64).tolist() == iris.KINDS
    assert [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs] == [("input", "FP64", [-1, 4])]


async def test_text_goes_in_and_out(shelf):
    given = [
        {"name": "city", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": ["köln".encode()]}},
        {"name": "rooms", "datatype": "INT64", "shape": [1], "contents": {"int64_contents": [2]}},
    ]
    served = plain.serve(plain.load(shelf.mlflow_pyfunc()))
    async with plain.calls(*served) as address, words.client(address) as client:
        answer = await client.infer(words.request(*given))

    assert [list(one.contents.bytes_contents) for one in answer.outputs] == [["KÖLN".encode()], []]
    assert list(answer.outputs[1].contents.int64_contents) == [4]


async def test_a_model_without_a_schema_takes_what_comes():
    model = Model("test", FREE, lambda rows: {"sum": rows.arrays[0].sum(axis=1)})
    given = {"name": "x", "datatype": "INT32", "shape": [2, 2]}
    async with plain.calls(*plain.serve(model)) as address, words.client(address) as client:
        answer = await client.infer(words.request(given, raw=[np.arange(4, dtype=np.int32).tobytes()]))

    assert np.frombuffer(answer.raw_output_contents[0], dtype=np.int64).tolist() == [1, 5]


async def test_only_the_outputs_that_are_named_come_back(shelf):
    given = {"name": "X", "datatype": "FP32", "shape": [3, 4], "contents": {"fp32_contents": FLAT}}
    served = plain.serve(plain.load(shelf.onnx()))
    async with plain.calls(*served) as address, words.client(address) as client:
        answer = await client.infer(words.request(given, outputs=[{"name": "label"}]))
        told = await client.ended("ModelInfer", words.request(given, outputs=[{"name": "nope"}]))

    assert [output.name for output in answer.outputs] == ["label"]
    assert "nope" in told[1]


async def test_probes_follow_the_life_of_the_server(shelf):
    serving, measures = plain.serve(plain.load(shelf.onnx()))
    seen = []
    async with plain.calls(serving, measures) as address, words.client(address) as client:
        for phase in (Phase.LOADING, Phase.READY, Phase.DRAINING):
            serving.phase = phase
            live = await client.call("ServerLive", messages.ServerLiveRequest())
            ready = await client.call("ServerReady", messages.ServerReadyRequest())
            model = await client.call("ModelReady", messages.ModelReadyRequest(name="iris", version="7"))
            seen.append((live.live, ready.ready, model.ready))

    assert seen == [(True, False, False), (True, True, True), (True, False, False)]


async def test_calls_are_counted_and_tell_their_revision(shelf):
    serving, measures = plain.serve(plain.load(shelf.onnx()))
    given = {"name": "X", "datatype": "FP32", "shape": [3, 4], "contents": {"fp32_contents": FLAT}}
    async with plain.calls(serving, measures) as address, words.client(address) as client:
        call = client.call("ModelInfer", words.request(given))
        await call
        trailers = dict(await call.trailing_metadata())
        await client.ended("ModelInfer", words.request())
        page = measures.page().decode()

    labels = 'model="iris",protocol="grpc",revision="iris-0a1b2c3d",version="7"'
    assert trailers["x-ferryman-revision"] == "iris-0a1b2c3d"
    assert f'ferryman_requests_total{{code="200",{labels}}} 1.0' in page
    assert f'ferryman_requests_total{{code="400",{labels}}} 1.0' in page
    assert f"ferryman_requests_in_flight{{{labels}}} 0.0" in page


def test_another_copy_of_the_protocols_messages_may_live_in_the_same_process():
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as theirs

    asked = words.request({"name": "X", "datatype": "FP32", "shape": [1]}, raw=[b"abcd"], id="1")

    assert theirs.ModelInferRequest.FromString(asked.SerializeToString()).raw_input_contents == [b"abcd"]
    assert theirs.DESCRIPTOR.package == messages.DESCRIPTOR.package
