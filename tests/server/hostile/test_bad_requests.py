"""Every bad request of the table: its status and sentence, in its protocol's own form, soon, and without a trace."""

import asyncio
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from server import iris, plain, process
from server.hostile import bad_requests, tensor_model
from server.hostile.bad_requests import LINES, Bad

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE, Column, Schema, Tensor, Tensors, named

IN_MEMORY: dict[str, Schema] = {
    "free": FREE,
    "optional": named((Column("a", Kind.FP64, required=False), Column("n", Kind.INT64, required=False)), None),
    "cube": Tensors((Tensor("a", Kind.FP64, (-1, -1, -1)),)),
    "pairs": Tensors((Tensor("a", Kind.FP64, (-1, 2)),)),
}
GOOD = {
    "iris": ({"instances": iris.FLOWERS}, {"predictions": iris.KINDS}),
    "homes": ({"instances": [["ulm", 3, 70.5]]}, {"predictions": [{"city": "ULM", "rooms": 6}]}),
    "tensors": (
        {"inputs": {"numbers": tensor_model.NUMBERS, "words": tensor_model.WORDS}},
        {
            "outputs": {
                "doubled": [[[2 * one for one in row] for row in matrix] for matrix in tensor_model.NUMBERS],
                "said": tensor_model.WORDS,
            }
        },
    ),
}
SOON = 0.05


@pytest.fixture(scope="module")
def servers(shelf, tmp_path_factory) -> Iterator[dict[str, process.Running]]:
    """A process for each model on disk; all of them still well at the end."""
    models = {"iris": shelf.skops(), "homes": shelf.mlflow_pyfunc()}
    models["tensors"] = tensor_model.write(tmp_path_factory.mktemp("tensors"))
    contract = {"FERRYMAN_ALLOW_PICKLE": "true", "FERRYMAN_OPTIMIZE": "off"}
    opened = [process.server(root, tmp_path_factory.mktemp(name), **contract) for name, root in models.items()]
    found = dict(zip(models, (one.__enter__() for one in opened), strict=True))
    try:
        for running in found.values():
            running.until_ready()
        yield found
        for name, running in found.items():
            assert running.post(bad_requests.V1, GOOD[name][0]).json() == GOOD[name][1]
            assert "Traceback" not in running.log.read_text()
            assert " failed: " not in running.log.read_text()
    finally:
        for one in reversed(opened):
            one.__exit__(None, None, None)


def told(line: Bad, answer: httpx.Response) -> str:
    """The sentence, if the answer has the form that the protocol gives to errors."""
    assert answer.status_code == line.status, answer.text[:300]
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    if line.path == bad_requests.MLFLOW and line.method == "POST":  # what its RestException reads
        assert said["error_code"] == "BAD_REQUEST"
        assert said["message"] == said["error"]
    assert set(said) - {"error", "error_code", "message"} == set()
    assert said["error"].strip()
    assert len(said["error"]) < 1000
    assert "Traceback" not in said["error"]
    return str(said["error"])


@pytest.mark.parametrize("line", [one for one in LINES if one.world in GOOD], ids=str)
def test_a_bad_request_gets_a_sentence_and_the_next_one_its_answer(servers, line):
    good, right = GOOD[line.world]
    with httpx.Client(base_url=servers[line.world].address, timeout=30) as http:
        quickest = 9.9
        for _ in range(5):  # the machine may have been busy with something else
            began = time.perf_counter()
            answer = http.request(line.method, line.path, content=line.body, headers=line.headers)
            quickest = min(quickest, time.perf_counter() - began)
            if quickest < SOON:
                break
        after = http.post(bad_requests.V1, json=good)

    assert line.word.lower() in told(line, answer).lower()
    assert after.json() == right
    assert quickest < SOON


@pytest.mark.parametrize("line", [one for one in LINES if one.world in IN_MEMORY], ids=str)
async def test_a_bad_request_to_a_model_with_a_rare_schema_gets_a_sentence(line):
    model = Model("test", IN_MEMORY[line.world], lambda rows: {"y": rows.arrays[0]})
    async with plain.client(model) as http:
        answer = await http.request(line.method, line.path, content=line.body, headers=line.headers)

    assert line.word in told(line, answer)


async def test_a_long_text_among_short_ones_takes_no_more_memory_than_it_has():
    """NumPy's own strings would each be as long as the longest: 40 GB for this request of 1.1 MB."""
    body = json.dumps({"instances": ["x" * 1_000_000, *["short"] * 10_000]})
    model = Model("test", FREE, lambda rows: {"y": rows.arrays[0]})
    async with plain.client(model) as http, asyncio.timeout(20):
        answer = await http.post(bad_requests.V1, content=body)

    assert answer.status_code == 200
    assert [len(row[0]) for row in answer.json()["predictions"]][:2] == [1_000_000, 5]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([[1, "a"], [2.5, "b"]], [["1", "a"], ["2.5", "b"]]),
        ([[True, "a"]], [["True", "a"]]),
        ([[None, "a"]], [[None, "a"]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ([[None, 1.5]], [[None, 1.5]]),
    ],
)
async def test_a_model_that_does_not_say_what_it_takes_is_given_what_came(rows, wanted):
    model = Model("test", FREE, lambda given: {"y": given.arrays[0]})
    async with plain.client(model) as http:
        answer = await http.post(bad_requests.V1, json={"instances": rows})

    assert answer.json() == {"predictions": wanted}
