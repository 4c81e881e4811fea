"""Bytes that are no text, through protocols that have only text: Base64 as TensorFlow Serving and MLflow write it."""

import base64
import json
import struct

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from server import plain

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Tensor, Tensors
from ferryman_server.dataplane.text import Text

_PICTURE = b"\xff\xd8\x00 a picture"
_BASE64 = base64.b64encode(_PICTURE).decode()
_WRAPPED = {"b64": _BASE64}
_SIZES = """
import mlflow

class Sizes(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [f"{type(one).__name__} of {len(one)}" for one in model_input["picture"]]

mlflow.models.set_model(Sizes())
"""
V1, V2, INVOKE = "/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A model of MLflow's whose one column its signature calls binary."""
    room = tmp_path_factory.mktemp("pictures")
    (room / "sizes.py").write_text(_SIZES)
    mlflow.pyfunc.save_model(
        room / "model",
        python_model=str(room / "sizes.py"),
        signature=ModelSignature(Schema([ColSpec("binary", "picture")])),
        pip_requirements=["mlflow"],
    )
    return plain.load(room / "model")


def _model(text, *, echo=lambda given: given, name="text"):
    """A model that gives back what it gets."""
    schema = Tensors((Tensor("text", Kind.BYTES, (-1,), text),))
    return Model("echo", schema, lambda rows: {name: echo(rows.arrays[0])})


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (INVOKE, {"dataframe_records": [{"picture": _BASE64}]}, "predictions"),
        (INVOKE, {"dataframe_split": {"columns": ["picture"], "data": [[_BASE64]]}}, "predictions"),
        (INVOKE, {"inputs": {"picture": [base64.encodebytes(_PICTURE).decode()]}}, "predictions"),
        (V1, {"instances": [{"picture": _BASE64}]}, "predictions"),
        (V1, {"instances": [{"picture": _WRAPPED}]}, "predictions"),
        (V1, {"instances": [_WRAPPED]}, "predictions"),
        (V1, {"inputs": {"picture": [_WRAPPED]}}, "outputs"),
    ],
)
async def test_a_binary_column_came_to_the_model_as_text(pictures, path, body, key):
    async with plain.client(pictures) as http:
        answer = await http.post(path, json=body)

    assert answer.json() == {key: [f"bytes of {len(_PICTURE)}"]}


async def test_a_binary_column_could_not_be_sent_as_bytes(pictures):
    values = struct.pack("<I", len(_PICTURE)) + _PICTURE
    head = (
        '{"inputs": [{"name": "picture", "datatype": "BYTES", "shape": [1], '
        f'"parameters": {{"binary_data_size": {len(values)}}}}}]}}'
    ).encode()
    async with plain.client(pictures) as http:
        answer = await http.post(
            V2, content=head + values, headers={"inference-header-content-length": str(len(head))}
        )

    assert answer.json()["outputs"][0]["data"] == [f"bytes of {len(_PICTURE)}"]


async def test_what_is_not_base64_is_named(pictures):
    async with plain.client(pictures) as http:
        answer = await http.post(INVOKE, json={"dataframe_records": [{"picture": "a picture!"}]})

    assert (answer.status_code, answer.json()["message"]) == (400, '"dataframe_records[0].picture" is not Base64.')


async def test_a_table_of_pictures_that_mlflow_wrote_was_misread(pictures):
    from mlflow.utils.proto_json_utils import NumpyEncoder

    sent = json.dumps({"dataframe_records": [{"picture": _PICTURE * 20}]}, cls=NumpyEncoder)
    async with plain.client(pictures) as http:
        answer = await http.post(INVOKE, content=sent, headers={"content-type": "application/json"})

    assert answer.json() == {"predictions": [f"bytes of {20 * len(_PICTURE)}"]}


# --- TensorFlow Serving's words -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"instances": [_WRAPPED, "plain"]}, {"predictions": [_WRAPPED, "plain"]}),
        ({"instances": [{"text": _WRAPPED}]}, {"predictions": [_WRAPPED]}),
        ({"inputs": [_WRAPPED, {"b64": "cGxhaW4="}]}, {"outputs": [_WRAPPED, "plain"]}),
        ({"inputs": {"text": [_WRAPPED]}}, {"outputs": [_WRAPPED]}),
    ],
)
async def test_bytes_that_are_no_text_were_refused_in_json(body, wanted):
    async with plain.client(_model(Text.BYTES)) as http:
        answer = await http.post(V1, json=body)

    assert answer.json() == wanted


async def test_an_output_that_is_called_bytes_is_wrapped_whatever_it_holds():
    async with plain.client(_model(Text.BYTES, name="text_bytes")) as http:
        answer = await http.post(V1, json={"instances": ["plain"]})

    assert answer.json() == {"predictions": [{"b64": "cGxhaW4="}]}


async def test_a_model_that_takes_text_gets_no_bytes():
    async with plain.client(_model(Text.UTF8)) as http:
        text = await http.post(V1, json={"instances": [{"b64": "cGxhaW4="}]})
        refused = await http.post(V1, json={"instances": [_WRAPPED]})

    assert text.json() == {"predictions": ["plain"]}
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        'Input "instances", element 0, is not UTF-8 text.',
    )


async def test_bytes_in_an_answer_were_changed_to_question_marks_in_v2():
    model = _model(Text.BYTES)
    asked = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [_WRAPPED]}]}
    async with plain.client(model) as http:
        refused = await http.post(V2, json=asked)
        binary = await http.post(V2, json=asked | {"parameters": {"binary_data_output": True}})

    assert refused.status_code == 400
    assert refused.json()["error"] == (
        'Output "text", element 0, is not UTF-8 text, which JSON cannot hold: '
        'ask for it as bytes ("parameters": {"binary_data": true}), or over gRPC.'
    )
    assert binary.content.endswith(struct.pack("<I", len(_PICTURE)) + _PICTURE)


async def test_a_models_fixed_bytes_are_told_alike():
    model = _model(Text.UTF8, echo=lambda given: np.array([b"\xff", b"ok"]))
    async with plain.client(model) as http:
        answer = await http.post(V1, json={"instances": ["a", "b"]})

    assert answer.json() == {"predictions": [{"b64": "/w=="}, "ok"]}
