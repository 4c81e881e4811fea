"""TensorFlow Serving's REST: rows, columns, signatures, status and metadata."""

from dataclasses import replace

import numpy as np
import pytest
from server import iris, plain

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model, Signature
from ferryman_server.dataplane.rows import Answer, Rows, join
from ferryman_server.dataplane.schema import Tensor, Tensors, matrix
from ferryman_server.serving import Phase

PATH = "/v1/models/iris:predict"
COLUMNS = {name: [flower[at] for flower in iris.FLOWERS] for at, name in enumerate(iris.NAMES)}


@pytest.mark.parametrize("signature", [{}, {"signature_name": "serving_default"}, {"signature_name": ""}])
@pytest.mark.parametrize("path", [PATH, "/v1/models/iris/versions/7:predict"])
async def test_rows_and_columns_are_answered_in_their_own_form(shelf, path, signature):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        rows = await http.post(path, json={**signature, "instances": iris.FLOWERS})
        columns = await http.post(path, json={**signature, "inputs": COLUMNS})
        matrix = await http.post(path, json={**signature, "inputs": iris.FLOWERS})

    assert rows.json() == {"predictions": iris.KINDS}
    assert columns.json() == matrix.json() == {"outputs": iris.KINDS}


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"instances": [{"X": flower} for flower in iris.FLOWERS]}, "predictions"),
        ({"inputs": {"X": iris.FLOWERS}}, "outputs"),
    ],
)
async def test_a_lone_tensor_may_be_called_by_its_name(shelf, body, key):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = (await http.post(PATH, json=body)).json()[key]

    labels = [row["label"] for row in answer] if key == "predictions" else answer["label"]
    assert labels == iris.KINDS


@pytest.mark.parametrize("body", [{"instances": [{"input": [1, 2]}]}, {"inputs": {"input": [[1, 2]]}}])
async def test_a_matrix_without_column_names_has_a_name_itself(body):
    from ferryman_server.dataplane.schema import matrix

    async with plain.client(Model("test", matrix(2), lambda rows: {"sum": rows.arrays[0].sum(axis=1)})) as http:
        answer = await http.post(PATH, json=body)

    assert next(iter(answer.json().values())) == [3]


async def test_several_tensors_go_in_and_out_by_name():
    schema = Tensors((Tensor("a", Kind.FP32, (-1, 2)), Tensor("b", Kind.INT32, (-1,))))
    model = Model("test", schema, lambda rows: {"sum": rows.arrays[0].sum(axis=1), "b": rows.arrays[1]})
    async with plain.client(model) as http:
        columns = await http.post(PATH, json={"inputs": {"a": [[1, 2], [3, 4]], "b": [7, 8]}})
        rows = await http.post(PATH, json={"instances": [{"a": [1, 2], "b": 7}, {"a": [3, 4], "b": 8}]})

    assert columns.json() == {"outputs": {"sum": [3, 7], "b": [7, 8]}}
    assert rows.json() == {"predictions": [{"sum": 3, "b": 7}, {"sum": 7, "b": 8}]}


@pytest.mark.parametrize("path", ["/v1/models/iris", "/v1/models/iris/versions/7"])
async def test_one_status_serves_both_kinds_of_clients(shelf, path):
    async with plain.client(plain.load(shelf.onnx())) as http:
        told = (await http.get(path)).json()

    assert told == {
        "name": "iris",
        "ready": True,
        "model_version_status": [
            {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ],
    }


async def test_a_model_that_loads_says_so_to_both(shelf):
    import httpx

    from ferryman_server.rest import app

    serving, measures = plain.serve(plain.load(shelf.onnx()))
    serving.phase, serving.plane = Phase.LOADING, None
    transport = httpx.ASGITransport(app.App(serving, measures))
    async with httpx.AsyncClient(transport=transport, base_url="http://iris") as http:
        status = await http.get("/v1/models/iris")
        metadata = await http.get("/v1/models/iris/metadata")

    assert (status.status_code, status.json()["ready"]) == (503, False)
    assert status.json()["model_version_status"][0]["state"] == "LOADING"
    assert metadata.status_code == 503
    assert metadata.json()["error"] == 'Model "iris" is still loading.'


async def test_metadata_tells_the_signature_by_tensors_or_by_columns(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        tensors = (await http.get("/v1/models/iris/metadata")).json()
    async with plain.client(plain.load(shelf.mlflow_pyfunc())) as http:
        columns = (await http.get("/v1/models/iris/versions/7/metadata")).json()

    def signature(told):
        return told["metadata"]["signature_def"]["signature_def"]["serving_default"]

    assert tensors["model_spec"] == {"name": "iris", "signature_name": "", "version": "7"}
    assert signature(tensors)["inputs"] == {
        "X": {
            "dtype": "DT_FLOAT",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "4", "name": ""}], "unknown_rank": False},
            "name": "X",
        }
    }
    assert {name: one["dtype"] for name, one in signature(tensors)["outputs"].items()} == {
        "label": "DT_INT64",
        "probabilities": "DT_FLOAT",
    }
    assert {name: one["dtype"] for name, one in signature(columns)["inputs"].items()} == {
        "city": "DT_STRING",
        "rooms": "DT_INT64",
        "area": "DT_DOUBLE",
    }


def _several():
    """A model of two signatures, as a SavedModel of two is loaded."""
    sums = Signature(matrix(2, Kind.FP64, "numbers"), (Tensor("sum", Kind.FP64, (-1,)),))
    sizes = Signature(Tensors((Tensor("words", Kind.BYTES, (-1,)),)), (Tensor("size", Kind.INT64, (-1,)),))

    def predict(rows: Rows) -> Answer:
        if rows.signature == "sizes":
            return {"size": np.array([len(word) for word in rows.arrays[0]])}
        return {"sum": rows.arrays[0].sum(axis=1)}

    return Model("several", sums.schema, predict, sums.outputs, signatures={"serving_default": sums, "sizes": sizes})


async def test_a_signature_that_a_model_has_was_refused():
    async with plain.client(_several()) as http:
        asked = [
            {"signature_name": "sizes", "instances": ["a", "ab"]},
            {"signature_name": "sizes", "inputs": {"words": ["abc"]}},
            {"signature_name": "serving_default", "instances": [[1, 2]]},
            {"signature_name": "", "inputs": {"numbers": [[1, 2]]}},
            {"instances": [[1, 2]]},
        ]
        told = [(await http.post("/v1/models/iris:predict", json=body)).json() for body in asked]
        metadata = (await http.get("/v1/models/iris/metadata")).json()

    assert told == [
        {"predictions": [1, 2]},
        {"outputs": [3]},
        {"predictions": [3]},
        {"outputs": [3]},
        {"predictions": [3]},
    ]
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert {name: list(one["inputs"]) for name, one in signatures.items()} == {
        "serving_default": ["numbers"],
        "sizes": ["words"],
    }


async def test_a_signature_that_a_model_has_not_is_answered_with_those_that_it_has():
    async with plain.client(_several()) as http:
        answer = await http.post("/v1/models/iris:predict", json={"signature_name": "size", "instances": [[1, 2]]})

    assert (answer.status_code, answer.json()["error"]) == (
        400,
        'The model has no signature "size"; it has "serving_default", "sizes".',
    )


async def test_rows_for_one_signature_are_never_put_together_with_those_for_another():
    rows = Rows((np.ones((1, 2)),), 1)

    assert rows.fits(rows)
    assert not rows.fits(replace(rows, signature="sizes"))
    assert not replace(rows, params={"a": 1}).fits(replace(rows, params={"a": True}))
    assert join([replace(rows, signature="sizes")] * 2).signature == "sizes"
