"""A `kserve.Model` is given what KServe's own server gives it: the same requests are put to both."""

import asyncio
import contextlib
import json
import sys

import grpc.aio
import httpx
import numpy as np
import pytest
from server import plain
from server.load import guests

from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.grpc_api.server import SERVICE
from ferryman_server.rest import app

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"


@pytest.fixture(autouse=True)
def own_modules(monkeypatch):
    """Each test's file is its own: what was imported for another is forgotten."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("model", None)


def loaded(root, text):
    (root / "model.py").write_text(text)
    return asyncio.to_thread(plain.load, root)


# --- KServe's own server ---


def kserves_plane(root, text):
    from kserve import ModelRepository
    from kserve.protocol.dataplane import DataPlane

    names: dict = {}
    exec(compile(text, str(root / "model.py"), "exec"), names)
    model = names["Echo"]("iris")
    model.load()
    repository = ModelRepository()
    repository.update(model)
    return DataPlane(repository)


@contextlib.asynccontextmanager
async def kserves_rest(root, text):
    from fastapi import FastAPI
    from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
    from kserve.protocol.rest.v2_endpoints import register_v2_endpoints

    application, plane = FastAPI(), kserves_plane(root, text)
    register_v1_endpoints(application, plane, None)
    register_v2_endpoints(application, plane, None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://iris") as http:
        yield http


@contextlib.asynccontextmanager
async def kserves_calls(root, text):
    from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs
    from kserve.protocol.grpc.servicer import InferenceServicer

    server = grpc.aio.server()
    stubs.add_GRPCInferenceServiceServicer_to_server(InferenceServicer(kserves_plane(root, text), None), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


# --- the same requests ---

JSON = {"content-type": "application/json"}
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2.5]}


def binary(**body) -> tuple[bytes, dict[str, str]]:
    values = np.array([[1, 2.5]], dtype=np.float32).tobytes()
    one = {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": len(values)}}
    head = json.dumps({"id": "7", "inputs": [one], **body}).encode()
    return head + values, {"inference-header-content-length": str(len(head))}


BYTES, LENGTH = binary(parameters={"binary_data_output": True})
SOME, SOME_LENGTH = binary(outputs=[{"name": "sizes", "parameters": {"binary_data": True}}])
ASKED = {
    "rows": (V1, b'{"instances": [[1, 2]], "parameters": {"k": 3}}', JSON),
    "anything": (V1, b'{"question": {"deep": [null, 1.5, "word"]}}', JSON | {"x-tenant": "a", "x-request-id": "r"}),
    "a list": (V1, b"[1, 2]", JSON),
    "no json": (V1, b"\x00\x01", {"content-type": "image/png"}),
    "an event": (
        V1,
        b'{"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data": {"a": 1}}',
        JSON,
    ),
    "a tensor": (V2, json.dumps({"id": "7", "inputs": [TENSOR]}).encode(), JSON | {"x-tenant": "b"}),
    "parameters": (
        V2,
        json.dumps({"id": "7", "parameters": {"k": "v"}, "inputs": [TENSOR | {"parameters": {"i": 1}}]}).encode(),
        JSON,
    ),
    "one output": (V2, json.dumps({"id": "7", "inputs": [TENSOR], "outputs": [{"name": "sizes"}]}).encode(), JSON),
    "text": (
        V2,
        json.dumps({"id": "7", "inputs": [{"name": "t", "datatype": "BYTES", "shape": [1], "data": ["ü"]}]}).encode(),
        JSON,
    ),
    "bytes": (V2, BYTES, {"content-type": "application/octet-stream"} | LENGTH),
    "bytes for one": (V2, SOME, {"content-type": "application/octet-stream"} | SOME_LENGTH),
}


def told(answer: httpx.Response) -> object:
    """What a client reads: status, headers of the class, the body without nulls that mean nothing."""
    length = answer.headers.get("inference-header-content-length")
    head = answer.content[: int(length)] if length else answer.content
    body = json.loads(head)
    known = _known(body) if isinstance(body, dict) else body
    return answer.status_code, answer.headers["x-echo"], answer.headers["x-later"], known, answer.content[len(head) :]


def _known(body):
    kept = {name: value for name, value in body.items() if value is not None and name != "model_version"}
    if "outputs" in kept:
        kept["outputs"] = [_known(one) for one in kept["outputs"]]
    return kept


@pytest.mark.parametrize("name", ASKED)
async def test_it_is_given_what_kserve_gives_it_and_its_answer_is_told_alike(tmp_path, name):
    path, body, headers = ASKED[name]
    model = await loaded(tmp_path, guests.ECHO)

    async with plain.client(model) as ours, kserves_rest(tmp_path, guests.ECHO) as theirs:
        here = await ours.post(path, content=body, headers=headers)
        there = await theirs.post(path, content=body, headers=headers)

    assert there.status_code == 200, there.text
    assert told(here) == told(there)


def call(raw: bytes | None) -> messages.ModelInferRequest:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2]}
    if raw is None:
        tensor["contents"] = {"fp32_contents": [1, 2.5]}
    return messages.ModelInferRequest(
        model_name="iris",
        id="7",
        parameters={"k": messages.InferParameter(string_param="v")},
        inputs=[tensor],
        raw_input_contents=[raw] if raw else [],
    )


@pytest.mark.parametrize("raw", [None, np.array([[1, 2.5]], dtype=np.float32).tobytes()])
async def test_a_call_gives_it_what_kserves_own_gives(tmp_path, raw):
    model = await loaded(tmp_path, guests.ECHO)
    said = (("x-tenant", "a"), ("x-bytes-bin", b"\x00\xff"))
    answers = []

    async with plain.calls(*plain.serve(model)) as ours, kserves_calls(tmp_path, guests.ECHO) as theirs:
        for address in (ours, theirs):
            async with grpc.aio.insecure_channel(address) as channel:
                asked = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                answers.append(await asked(call(raw).SerializeToString(), metadata=said))
    here, there = (messages.ModelInferResponse.FromString(one) for one in answers)

    assert here.model_version == "7"
    there.model_version = here.model_version
    assert here == there
    assert b"x-tenant" in answers[0]


# --- what KServe leaves open, or would fail at ---


async def ask(model, *words, path=V1):
    async with plain.client(model) as http:
        return [await http.post(path, json={"instances": [word]}) for word in words]


async def test_it_may_choose_its_status(tmp_path):
    often, later, wrong = await ask(await loaded(tmp_path, guests.CHOOSY), "status", "later", "wrong")

    assert (often.status_code, often.json()) == (429, {"error": "not so often"})
    assert (later.status_code, later.json()) == (501, {"error": "not yet"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "The model does not take these values: no such word"})


async def test_a_status_that_http_does_not_have_is_its_own_fault_and_the_log_has_it(tmp_path, capfd):
    statuses = 600, 1000, 42, 204
    answers = await ask(await loaded(tmp_path, guests.CHOOSY), *statuses, "status")

    assert [answer.status_code for answer in answers] == [500, 500, 500, 500, 429]
    assert "request id" in answers[0].json()["error"]
    logged = "".join(capfd.readouterr())
    assert all(f"status {status}, which is no refusal of HTTP's: so it says" in logged for status in statuses)


async def test_its_own_faults_and_streams_are_not_shown(tmp_path):
    bug, stream, text = await ask(await loaded(tmp_path, guests.CHOOSY), "bug", "stream", "text")

    assert (bug.status_code, stream.status_code) == (500, 500)
    assert "its own fault" not in bug.text
    assert (text.text, text.headers["content-type"]) == ("plain words", "text/plain; charset=utf-8")


async def test_one_that_is_not_ready_any_more_says_so(tmp_path):
    lost, after = await ask(await loaded(tmp_path, guests.CHOOSY), "lost", "fine")

    assert lost.content == b'{"predictions":[null,null,1]}'
    assert (after.status_code, after.json()) == (503, {"error": 'Model "iris" says that it is not ready.'})


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (V1, b'{"instances": ', JSON),
        (V2, b'{"inputs": ', JSON),
        (V2, b'{"inputs": [{"name": "x"}]}', JSON),
        (V2, b'{"inputs": 3}', JSON),
        (V2, BYTES, {"inference-header-content-length": "many"}),
        (V2, BYTES[:-4], LENGTH),
        (V2, b"[]", {"inference-header-content-length": "2"}),
    ],
)
async def test_what_cannot_be_read_is_the_clients_to_mend(tmp_path, path, body, headers):
    model = await loaded(tmp_path, guests.ECHO)

    async with plain.client(model) as http:
        answer = await http.post(path, content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The request cannot be read: ")


async def test_curls_own_content_type_is_taken_for_json(tmp_path):
    model = await loaded(tmp_path, guests.TEXT)

    async with plain.client(model) as http:
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = await http.post(V1, content=b'{"instances": ["ab"]}', headers=form)

    assert answer.json() == {"predictions": [{"text": "ab", "length": 2}]}


async def test_a_response_header_that_http_cannot_carry_is_the_models_fault(tmp_path):
    text = guests.ECHO.replace('"x-later"] = "too"', '"x-later"] = "a\\r\\nb: c"')
    assert text != guests.ECHO

    async with plain.client(await loaded(tmp_path, text)) as http:
        answer = await http.post(V1, json={"instances": [1]})

    assert answer.status_code == 500
    assert "b" not in answer.headers


async def test_a_class_that_knows_only_v1_is_asked_over_v2_and_grpc(tmp_path):
    model = await loaded(tmp_path, guests.TEXT)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["ab", "c"]}
    asked = messages.ModelInferRequest(
        model_name="iris",
        inputs=[{"name": "text", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"ab", b"c"]}}],
    )

    serving, measures = plain.serve(model)
    transport = httpx.ASGITransport(app.App(serving, measures))
    async with plain.calls(serving, measures) as address, grpc.aio.insecure_channel(address) as channel:
        async with httpx.AsyncClient(transport=transport, base_url="http://iris") as http:
            v2 = await http.post(V2, json={"inputs": [tensor]})
        answer = messages.ModelInferResponse.FromString(
            await channel.unary_unary(f"/{SERVICE}/ModelInfer")(asked.SerializeToString())
        )

    lengths = [{"text": "ab", "length": 2}, {"text": "c", "length": 1}]
    assert [json.loads(one) for one in v2.json()["outputs"][0]["data"]] == lengths
    assert [json.loads(one) for one in answer.outputs[0].contents.bytes_contents] == lengths
