"""Bodies that nobody would write: whatever comes, the answer is a sentence and never a 5xx."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import iris, plain

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Column, Tensor, Tensors, matrix, named

QUICK = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOME = (Column("city", Kind.BYTES), Column("rooms", Kind.INT64), Column("area", Kind.FP32, required=False))
SCHEMAS = {
    "matrix": matrix(2),
    "table": named(HOME, None),
    "tensors": Tensors((Tensor("a", Kind.FP32, (-1, 2)), Tensor("b", Kind.BOOL, (-1,)))),
}
WORDS = ["city", "rooms", "area", "a", "b", "input", "name", "shape", "data", "datatype", "columns", "parameters"]

words = st.sampled_from(WORDS) | st.text(max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
rows = st.lists(st.lists(scalars, min_size=2, max_size=3) | st.dictionaries(words, scalars, max_size=3), max_size=3)
shapes = st.lists(st.integers(-1, 3) | st.integers(0, 2**70), max_size=40) | values
tensors = st.fixed_dictionaries(
    {"name": words | values, "datatype": st.sampled_from([*Kind, "FP128"]) | values, "shape": shapes},
    optional={
        "data": st.lists(scalars, max_size=8) | values,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "content_type"]), values, max_size=2)
        | values,
    },
)
outputs = st.lists(st.fixed_dictionaries({"name": words}) | values, max_size=2)
splits = st.fixed_dictionaries({"columns": st.lists(words, max_size=3) | values, "data": rows | values})


def predict(rows):
    return {"y": rows.arrays[0]}


def asked(kind: str, path: str, bodies: list[dict[str, object]]) -> list[tuple[int, str]]:
    """The answers to these requests, on a server with a model of this kind."""

    async def ask() -> list[tuple[int, str]]:
        async with plain.client(Model("test", SCHEMAS[kind], predict)) as http:
            answers = [await http.post(path, **body) for body in bodies]
            return [(answer.status_code, answer.text) for answer in answers]

    return asyncio.run(ask())


def refused_or_answered(kind: str, path: str, *bodies: dict[str, object]) -> None:
    for status, text in asked(kind, path, list(bodies)):
        assert status in {200, 400, 415}, text
        assert status == 200 or json.loads(text)["error"].strip()
        assert "Traceback" not in text


def body(value: object) -> dict[str, object]:
    return {"content": json.dumps(value).encode(), "headers": {"content-type": "application/json"}}


@pytest.mark.parametrize("kind", SCHEMAS)
@QUICK
@given(key=st.sampled_from(["instances", "inputs", "signature_name"]), value=rows | values, other=values)
def test_v1_and_tensorflow_serving(kind, key, value, other):
    refused_or_answered(kind, "/v1/models/iris:predict", body({key: value}), body(other))


@pytest.mark.parametrize("kind", SCHEMAS)
@QUICK
@given(
    inputs=st.lists(tensors, max_size=3) | values,
    outputs=outputs | values,
    parameters=values,
    tail=st.binary(max_size=32),
)
def test_v2_as_json_and_with_bytes(kind, inputs, outputs, parameters, tail):
    whole = {"inputs": inputs, "outputs": outputs, "parameters": parameters}
    head = json.dumps({"inputs": inputs}).encode()
    binary = {"content": head + tail, "headers": {"inference-header-content-length": str(len(head))}}
    refused_or_answered(kind, "/v2/models/iris/infer", body({"inputs": inputs}), body(whole), binary)


@pytest.mark.parametrize("kind", SCHEMAS)
@QUICK
@given(
    key=st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]),
    value=rows
    | values
    | st.fixed_dictionaries({"columns": st.lists(words, max_size=3) | values, "data": rows | values}),
    page=st.text(alphabet='cityromsa0.5,"\n\r\0é', max_size=40) | st.binary(max_size=40),
)
def test_invocations_as_json_and_csv(kind, key, value, page):
    content = page if isinstance(page, bytes) else page.encode()
    csv = {"content": content, "headers": {"content-type": "text/csv"}}
    refused_or_answered(kind, "/invocations", body({key: value}), csv)


@pytest.mark.parametrize("path", ["/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"])
@QUICK
@given(content=st.binary(max_size=64), media_type=st.sampled_from(["application/json", "", "text/csv", "x" * 200]))
def test_any_bytes_at_all(path, content, media_type):
    refused_or_answered("matrix", path, {"content": content, "headers": {"content-type": media_type}})


@pytest.mark.parametrize("path", ["/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"])
async def test_a_flower_is_still_known_after_all_that(shelf, path):
    deep = b'{"instances": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    async with plain.client(plain.load(shelf.onnx())) as http:
        refused = await http.post(path, content=deep, headers={"content-type": "application/json"})
        after = await http.post("/v1/models/iris:predict", json={"instances": iris.FLOWERS})

    assert refused.status_code == 400
    assert [row["label"] for row in after.json()["predictions"]] == iris.KINDS
