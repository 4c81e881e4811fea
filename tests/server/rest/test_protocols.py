"""The same flowers through each protocol, in each shape it allows."""

import pytest
from server import iris, plain

SPLIT = {"columns": iris.NAMES, "data": iris.FLOWERS}
RECORDS = [dict(zip(iris.NAMES, flower, strict=True)) for flower in iris.FLOWERS]
COLUMNS = {name: [flower[at] for flower in iris.FLOWERS] for at, name in enumerate(iris.NAMES)}
FLAT = [value for flower in iris.FLOWERS for value in flower]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/iris:predict", {"instances": iris.FLOWERS}),
        ("/v1/models/iris:predict", {"instances": RECORDS}),
        ("/v1/models/iris/versions/7:predict", {"instances": iris.FLOWERS}),
        ("/invocations", {"dataframe_split": SPLIT}),
        ("/invocations", {"dataframe_split": {**SPLIT, "index": [5, 6, 7]}}),
        ("/invocations", {"dataframe_records": RECORDS}),
        ("/invocations", {"instances": iris.FLOWERS}),
        ("/invocations", {"inputs": COLUMNS}),
        ("/invocations", {"inputs": iris.FLOWERS}),
    ],
)
async def test_predictions_come_back_in_order(shelf, path, body):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        answer = await http.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": iris.KINDS}
    assert answer.headers["x-ferryman-revision"] == "iris-0a1b2c3d"


@pytest.mark.parametrize(
    "inputs",
    [
        [{"name": "x", "datatype": "FP64", "shape": [3, 4], "data": iris.FLOWERS}],
        [{"name": "x", "datatype": "FP32", "shape": [3, 4], "data": FLAT}],
        [{"name": name, "datatype": "FP64", "shape": [3], "data": column} for name, column in COLUMNS.items()],
    ],
)
@pytest.mark.parametrize("path", ["/v2/models/iris/infer", "/v2/models/iris/versions/7/infer"])
async def test_v2_takes_a_matrix_or_a_tensor_per_column(shelf, path, inputs):
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        answer = await http.post(path, json={"id": "42", "inputs": inputs})

    assert answer.json() == {
        "model_name": "iris",
        "model_version": "7",
        "id": "42",
        "outputs": [{"name": "predict", "datatype": "INT64", "shape": [3], "data": iris.KINDS}],
    }


async def test_csv_is_read_with_its_header(shelf):
    lines = [",".join(iris.NAMES), *(",".join(map(str, flower)) for flower in iris.FLOWERS)]
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        answer = await http.post("/invocations", content="\n".join(lines), headers={"content-type": "text/csv"})

    assert answer.json() == {"predictions": iris.KINDS}


async def test_a_model_with_several_outputs_answers_with_objects(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        v1 = await http.post("/v1/models/iris:predict", json={"instances": iris.FLOWERS[:1]})
        v2 = await http.post(
            "/v2/models/iris/infer",
            json={
                "inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": iris.FLOWERS[0]}],
                "outputs": [{"name": "label"}],
            },
        )

    assert v1.json()["predictions"][0]["label"] == 0
    assert len(v1.json()["predictions"][0]["probabilities"]) == 3
    assert v2.json()["outputs"] == [{"name": "label", "datatype": "INT64", "shape": [1], "data": [0]}]


async def test_text_goes_in_and_out(shelf):
    rows = [{"city": "bonn", "rooms": 2, "area": None}, {"city": "köln", "rooms": 3, "area": 7.5}]
    async with plain.client(plain.load(shelf.mlflow_pyfunc())) as http:
        invoked = await http.post("/invocations", json={"dataframe_records": rows})
        inferred = await http.post(
            "/v2/models/iris/infer",
            json={
                "inputs": [
                    {"name": "city", "datatype": "BYTES", "shape": [1], "data": ["ulm"]},
                    {"name": "rooms", "datatype": "INT64", "shape": [1], "data": [1]},
                ]
            },
        )

    assert invoked.json() == {"predictions": [{"city": "BONN", "rooms": 4}, {"city": "KÖLN", "rooms": 6}]}
    assert inferred.json()["outputs"][0] == {"name": "city", "datatype": "BYTES", "shape": [1], "data": ["ULM"]}


async def test_a_request_id_comes_back(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        answer = await http.post(
            "/v1/models/iris:predict", json={"instances": iris.FLOWERS}, headers={"x-request-id": "abc"}
        )
        without = await http.get("/healthz")

    assert answer.headers["x-request-id"] == "abc"
    assert "x-request-id" not in without.headers
