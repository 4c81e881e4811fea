"""The OpenAPI document and the page for people: valid, complete, and with examples that work."""

import html
import json
import re
import shutil
import subprocess

import jsonschema
import openapi_spec_validator
import pytest
from server import iris, plain, process

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE, Tensor, Tensors

TWO = Tensors((Tensor("a", Kind.FP32, (-1, 2, 3)), Tensor("b", Kind.BYTES, (-1,))))
MODELS = {
    "named": lambda shelf: plain.load(shelf.mlflow_sklearn()),
    "text": lambda shelf: plain.load(shelf.mlflow_pyfunc()),
    "tensor": lambda shelf: plain.load(shelf.onnx()),
    "columns": lambda shelf: plain.load(shelf.onnx_columns()),
    "matrix": lambda shelf: plain.load(shelf.joblib()),
    "tensors": lambda _: Model("test", TWO, lambda rows: {"y": rows.arrays[0].sum(axis=(1, 2))}),
    "free": lambda _: Model("test", FREE, lambda rows: {"y": rows.arrays[0]}),
}


@pytest.mark.parametrize("kind", MODELS)
async def test_the_document_is_valid_and_every_path_in_it_is_there(shelf, kind):
    async with plain.client(MODELS[kind](shelf)) as http:
        document = (await http.get("/openapi.json")).json()
        codes = {
            path: (await http.get(path)).status_code for path, verbs in document["paths"].items() if "get" in verbs
        }

    openapi_spec_validator.validate(document)
    assert set(codes.values()) == {200}, codes
    assert document["info"] | {"description": ""} == {"title": "iris", "version": "7", "description": ""}


async def test_whoever_makes_a_client_of_the_document_hears_of_every_status_that_a_prediction_may_have(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        document = (await http.get("/openapi.json")).json()

    posts = [verbs["post"]["responses"] for verbs in document["paths"].values() if "post" in verbs]
    assert len(posts) == 3
    for responses in posts:
        assert set(responses) == {"200", "400", "408", "413", "415", "500", "503", "504"}
    operations = [verb["operationId"] for verbs in document["paths"].values() for verb in verbs.values()]
    assert len(set(operations)) == len(operations)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "free"])
async def test_every_example_in_it_fits_its_own_schema_and_is_answered(shelf, kind):
    tried = []
    async with plain.client(MODELS[kind](shelf)) as http:
        document = (await http.get("/openapi.json")).json()
        for path, verbs in document["paths"].items():
            for media_type, content in verbs.get("post", {}).get("requestBody", {}).get("content", {}).items():
                example = content["example"]
                body = example if media_type == "text/csv" else json.dumps(example)
                answer = await http.post(path, content=body, headers={"content-type": media_type})
                assert answer.status_code == 200, (path, media_type, example, answer.text)
                schema = {**content["schema"], "components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(example)
                expected = verbs["post"]["responses"]["200"]["content"]["application/json"]["schema"]
                jsonschema.Draft202012Validator({**expected, "components": document["components"]}).validate(
                    answer.json()
                )
                tried.append((path, media_type))

    assert len(tried) == (3 if kind == "tensors" else 4)


async def test_the_examples_are_the_artefacts_own_where_it_has_one(shelf, room):
    shutil.copytree(shelf.mlflow_sklearn(), room, dirs_exist_ok=True)
    example = {"dataframe_split": {"columns": iris.NAMES, "data": iris.FLOWERS}}
    (room / "serving_input_example.json").write_text(json.dumps(example))
    async with plain.client(plain.load(room), model_dir=room) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]

    rows = [dict(zip(iris.NAMES, flower, strict=True)) for flower in iris.FLOWERS[:2]]
    content = paths["/v1/models/iris:predict"]["post"]["requestBody"]["content"]
    assert content["application/json"]["example"] == {"instances": rows}
    csv = paths["/invocations"]["post"]["requestBody"]["content"]["text/csv"]["example"]
    assert csv.splitlines()[1] == "5.1,3.5,1.4,0.2"


async def test_columns_that_the_example_leaves_out_are_left_out(shelf, room):
    shutil.copytree(shelf.mlflow_pyfunc(), room, dirs_exist_ok=True)
    example = {"dataframe_split": {"columns": ["city", "rooms"], "data": [["ulm", 2]]}}
    (room / "serving_input_example.json").write_text(json.dumps(example))
    async with plain.client(plain.load(room), model_dir=room) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]

    body = paths["/v1/models/iris:predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert body == {"instances": [{"city": "ulm", "rooms": 2}]}


async def test_a_model_that_says_nothing_of_its_inputs_has_a_document_without_examples(shelf):
    async with plain.client(MODELS["free"](shelf)) as http:
        document = (await http.get("/openapi.json")).json()
        page = await http.get("/docs")

    assert "example" not in json.dumps(document)
    assert page.status_code == 200
    assert "does not say what it takes" in page.text


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_before_the_model_there_is_nothing_to_tell(shelf, path):
    import httpx

    from ferryman_server.rest import app

    serving, measures = plain.serve(plain.load(shelf.onnx()))
    serving.plane = None
    transport = httpx.ASGITransport(app.App(serving, measures))
    async with httpx.AsyncClient(transport=transport, base_url="http://iris") as http:
        answer = await http.get(path)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_lines_of_the_page_work_as_they_stand(shelf, tmp_path):
    with process.server(
        shelf.mlflow_pyfunc(), tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_MODEL_NAME="o'clock <&>"
    ) as running:
        running.until_ready()
        page = running.get("/docs").text
        lines = [html.unescape(one) for one in re.findall(r"<pre class=line>(.*?)</pre>", page, re.DOTALL)]
        answers = [
            subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout for line in lines
        ]

    assert len(lines) == 4
    assert all("error" not in json.loads(answer) for answer in answers), answers
    assert "<h1>o&#x27;clock &lt;&amp;&gt;</h1>" in page


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "fraud.example.com"}, "http://fraud.example.com/"),
        ({"host": "fraud.example.com", "x-forwarded-proto": "https"}, "https://fraud.example.com/"),
        ({"host": "[::1]:8080"}, "http://[::1]:8080/"),
        ({"host": "a';rm -rf $HOME;'"}, "http://localhost:8080/"),
        ({"host": "<script>alert(1)</script>"}, "http://localhost:8080/"),
    ],
)
async def test_the_lines_name_the_host_that_the_reader_came_from(shelf, headers, address):
    async with plain.client(plain.load(shelf.onnx())) as http:
        page = await http.get("/docs", headers=headers)

    assert f"{address}v2/models/iris/infer" in html.unescape(page.text)
    assert headers["host"].startswith(("fraud", "[")) or headers["host"] not in page.text


async def test_the_page_asks_for_nothing_from_elsewhere(shelf):
    async with plain.client(plain.load(shelf.onnx())) as http:
        page = await http.get("/docs")

    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert not re.findall(r"(?:src|href)=\"?(?:https?:)?//", page.text)
