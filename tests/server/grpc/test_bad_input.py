"""What bad input gets: a status and a sentence, never a stack trace, and no effect on the next call."""

import asyncio
import re

import grpc
import h2.connection
import h2.events
import numpy as np
import pytest
from server import iris, plain
from server.grpc import words

from ferryman_server.dataplane.errors import OverloadedError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Tensor, Tensors, matrix
from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.http2 import patience
from ferryman_server.serving import Phase

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
FLOWER = {"fp64_contents": iris.FLOWERS[0]}
TYPED = {"name": "x", "datatype": "FP64", "shape": [1, 4], "contents": FLOWER}
RAW = {"name": "x", "datatype": "FP64", "shape": [1, 4]}
BYTES = np.array(iris.FLOWERS[0]).tobytes()


def typed(**changed: object):
    return words.request({**TYPED, **changed})


@pytest.mark.parametrize(
    ("request_", "code", "told"),
    [
        (b"\xff\xff", INVALID, "not a whole ModelInferRequest message"),
        (words.request(TYPED).SerializeToString()[:-3], INVALID, "not a whole ModelInferRequest message"),
        (
            words.request(TYPED, model_name="rose"),
            NOT_FOUND,
            'There is no model "rose" here; this server has "iris".',
        ),
        (words.request(TYPED, model_name=""), NOT_FOUND, 'There is no model "" here'),
        (words.request(TYPED, model_version="9"), NOT_FOUND, 'no version "9" here; this server has version "7"'),
        (words.request(), INVALID, '"inputs" is empty'),
        (words.request(TYPED, TYPED), INVALID, "names a tensor twice"),
        (typed(datatype="FP128"), INVALID, "Input \"x\" has datatype 'FP128'; known are BOOL"),
        (typed(datatype="BF16"), INVALID, "known are BOOL"),
        (typed(datatype="FP16"), INVALID, 'Input "x" is FP16, which has no typed contents; send it raw.'),
        (typed(datatype="FP32"), INVALID, "its values belong in fp32_contents, not in fp64_contents"),
        (typed(contents={}), INVALID, "must have 4 values for shape [1, 4], got 0"),
        (typed(contents={"fp64_contents": [1, 2, 3]}), INVALID, "must have 4 values for shape [1, 4], got 3"),
        (typed(shape=[1, 5]), INVALID, 'Input "x" must have shape [-1, 4]'),
        (typed(shape=[-1, 4]), INVALID, '"shape" must be a list of sizes, got [-1, 4]'),
        (typed(shape=[2**62, 4]), INVALID, '"shape" must be a list of sizes'),
        (typed(shape=[1] * 65), INVALID, '"shape" must be a list of sizes'),
        (typed(shape=[0, 4], contents={}), INVALID, "have no rows"),
        (typed(shape=[]), INVALID, "got []"),
        (
            typed(datatype="BYTES", contents={"bytes_contents": [b"a"] * 4}),
            INVALID,
            'Input "x" must have datatype FP64, got BYTES',
        ),
        (
            typed(datatype="BYTES", contents={"bytes_contents": [b"\xff"] * 4}),
            INVALID,
            'Input "x" must have datatype FP64, got BYTES.',
        ),
        (words.request(RAW, raw=[BYTES[:-1]]), INVALID, "must have 32 bytes for shape [1, 4] of FP64, got 31"),
        (words.request(RAW, raw=[BYTES + b"x"]), INVALID, "must have 32 bytes for shape [1, 4] of FP64, got 33"),
        (words.request(RAW, raw=[BYTES, BYTES]), INVALID, "one entry for each of the 1 inputs, got 2"),
        (words.request(TYPED, raw=[BYTES]), INVALID, 'Input "x" has its values twice'),
        (words.request({**RAW, "shape": [2, 4]}, raw=[BYTES]), INVALID, "must have 64 bytes for shape [2, 4]"),
        (
            words.request({**RAW, "datatype": "BYTES", "shape": [1]}, raw=[b"\x05\x00\x00\x00abc"]),
            INVALID,
            "is cut short: it must have 4 bytes of length and then 5 bytes, and 3 are left",
        ),
        (words.request({**RAW, "datatype": "BYTES", "shape": [2]}, raw=[b"\0\0\0\0"]), INVALID, "must have 2 texts"),
        (words.request({**RAW, "datatype": "BYTES", "shape": [1]}, raw=[b"\0\0"]), INVALID, "is cut short"),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(shelf, request_, code, told):
    served = plain.serve(plain.load(shelf.mlflow_sklearn()))
    async with plain.calls(*served) as address, words.client(address) as client:
        ended = await client.ended("ModelInfer", request_)
        after = await client.infer(words.request(TYPED))

    assert ended[0] is code, ended
    assert told in ended[1]
    assert "Traceback" not in ended[1]
    assert list(after.outputs[0].contents.int64_contents) == [0]


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (Kind.INT8, [1, 300], 'Input "x", element 1, is 300, which does not fit INT8.'),
        (Kind.UINT8, [256, 1], 'Input "x", element 0, is 256, which does not fit UINT8.'),
    ],
)
async def test_a_number_that_does_not_fit_its_datatype_is_named(kind, values, told):
    model = Model("test", Tensors((Tensor("x", kind, (-1,)),)), lambda rows: {"y": rows.arrays[0]})
    contents = {"int_contents" if kind is Kind.INT8 else "uint_contents": values}
    async with plain.calls(*plain.serve(model)) as address, words.client(address) as client:
        ended = await client.ended(
            "ModelInfer", words.request({"name": "x", "datatype": kind.value, "shape": [2], "contents": contents})
        )

    assert ended == (INVALID, told)


@pytest.mark.parametrize("name", ["ModelReady", "ModelMetadata"])
async def test_another_model_is_not_found_by_any_call(shelf, name):
    asked = getattr(messages, f"{name}Request")
    async with plain.calls(*plain.serve(plain.load(shelf.onnx()))) as address, words.client(address) as client:
        model = await client.ended(name, asked(name="rose"))
        version = await client.ended(name, asked(name="iris", version="8"))
        broken = await client.ended(name, b"\xff")

    assert model == (NOT_FOUND, 'There is no model "rose" here; this server has "iris".')
    assert version == (NOT_FOUND, 'Model "iris" has no version "8" here; this server has version "7".')
    assert broken[0] is INVALID


async def test_a_model_that_still_loads_is_unavailable(shelf):
    serving, measures = plain.serve(plain.load(shelf.onnx()))
    serving.phase, serving.plane = Phase.LOADING, None
    async with plain.calls(serving, measures) as address, words.client(address) as client:
        infer = await client.ended("ModelInfer", words.request(TYPED))
        metadata = await client.ended("ModelMetadata", messages.ModelMetadataRequest(name="iris"))

    assert infer == metadata == (grpc.StatusCode.UNAVAILABLE, 'Model "iris" is still loading.')


async def test_an_overloaded_server_says_so(shelf):
    serving, measures = plain.serve(plain.load(shelf.onnx()))

    class Full:
        model = serving.plane.model
        guest = None

        def soon(self, rows, asker, then):
            return False

        def settle(self):
            pass

        async def predict(self, rows):
            raise OverloadedError("4096 requests are already waiting for the model; try again later.")

    serving.plane = Full()
    given = {"name": "X", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": iris.FLOWERS[0]}}
    async with plain.calls(serving, measures) as address, words.client(address) as client:
        ended = await client.ended("ModelInfer", words.request(given))

    assert ended[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "already waiting" in ended[1]


async def test_a_model_that_breaks_gives_an_id_and_keeps_its_secrets(capfd):
    def predict(rows):
        raise RuntimeError("secret of the house")

    given = {"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [1]}}
    async with (
        plain.calls(*plain.serve(Model("test", matrix(1), predict))) as address,
        words.client(address) as client,
    ):
        anonymous = client.call("ModelInfer", words.request(given))
        code, told = await anonymous.code(), await anonymous.details()
        request_id = dict(await anonymous.trailing_metadata())["x-request-id"]
        named = await client.ended("ModelInfer", words.request(given), metadata=(("x-request-id", "abc"),))

    log = capfd.readouterr().err
    assert code is grpc.StatusCode.INTERNAL
    assert request_id in told
    assert "secret" not in told
    assert named[1].endswith("under request id abc.")
    assert f"Request {request_id} failed: RuntimeError: secret of the house" in log
    assert "Traceback" not in log


async def test_a_message_over_the_limit_is_refused(shelf):
    served = plain.serve(plain.load(shelf.onnx()), max_body_bytes=200)
    async with plain.calls(*served) as address, words.client(address) as client:
        large = await client.ended("ModelInfer", words.request({**RAW, "shape": [10, 4]}, raw=[BYTES * 10]))
        within = await client.infer(words.request(RAW, raw=[BYTES]))

    assert large[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert within.outputs[0].name == "label"


async def test_more_rows_than_one_call_may_have_are_refused(shelf):
    served = plain.serve(plain.load(shelf.onnx()), max_rows=2)
    async with plain.calls(*served) as address, words.client(address) as client:
        code, told = await client.ended("ModelInfer", words.request({**RAW, "shape": [3, 4]}, raw=[BYTES * 3]))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told == "A request may have 2 rows, and this one has 3; send fewer at a time."


async def test_a_message_that_stops_in_the_middle_is_refused_and_its_connection_stays(shelf, monkeypatch):
    monkeypatch.setattr(patience, "SECONDS", 0.05)
    head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/inference.GRPCInferenceService/ModelInfer"),
        (":authority", "iris"),
    ]
    here, measures = plain.serve(plain.load(shelf.onnx()))
    async with plain.calls(here, measures) as address, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*address.split(":"))
        http2 = h2.connection.H2Connection()
        http2.initiate_connection()
        http2.send_headers(1, [*head, ("content-type", "application/grpc")])
        http2.send_data(1, b"\0\0\0")
        events = []
        while not any(isinstance(event, h2.events.StreamReset) for event in events):
            writer.write(http2.data_to_send())
            events += http2.receive_data(await reader.read(1000))
        closed = reader.at_eof()
        writer.close()

    [answer] = [event for event in events if isinstance(event, h2.events.ResponseReceived)]
    fields = dict(answer.headers)
    assert (fields[b"grpc-status"], fields[b"grpc-message"]) == (
        b"4",
        b"Nothing came of the message for a minute, and it is not whole; send it again.",
    )
    assert not closed
    assert re.search(rb'ferryman_requests_total{[^}]*code="408"[^}]*} 1.0', measures.page())


async def test_an_unknown_call_is_unimplemented(shelf):
    served = plain.serve(plain.load(shelf.onnx()))
    async with plain.calls(*served) as address, grpc.aio.insecure_channel(address) as channel:
        code = await channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelLoad")(b"").code()

    assert code is grpc.StatusCode.UNIMPLEMENTED
