"""Every bad request of the table: its status and sentence, in its protocol's own form, soon, and without a trace."""

import asyncio
import json
import os
from pathlib import Path

import httpx
import pytest
from server import plain, process
from server.hostile import bad_requests, calls, nearly
from server.hostile.bad_calls import CALLS, MESSAGE
from server.hostile.bad_requests import GOOD, LINES, Bad

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE, Column, Schema, Tensor, Tensors, named

IN_MEMORY: dict[str, Schema] = {
    "free": FREE,
    "optional": named((Column("a", Kind.FP64, required=False), Column("n", Kind.INT64, required=False)), None),
    "cube": Tensors((Tensor("a", Kind.FP64, (-1, -1, -1)),)),
    "pairs": Tensors((Tensor("a", Kind.FP64, (-1, 2)),)),
}
SOON = 0.05
"""Seconds of the server's own time: on a busy machine an answer may have to wait for a core."""


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


def spent(running: process.Running) -> float:
    """Seconds of processor time that a server has taken so far, in hundredths."""
    fields = Path(f"/proc/{running.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("line", [one for one in LINES if one.world in GOOD], ids=str)
def test_a_bad_request_gets_a_sentence_and_the_next_one_its_answer(servers, line):
    good, right = GOOD[line.world]
    running = servers[line.world]
    with httpx.Client(base_url=running.address, timeout=30) as http:
        before = spent(running)
        answer = http.request(line.method, line.path, content=line.body, headers=line.headers)
        took = spent(running) - before
        after = http.post(bad_requests.V1, json=good)

    assert line.word.lower() in told(line, answer).lower()
    assert after.json() == right
    assert before > 0
    assert took <= SOON


def test_ten_thousand_columns_never_make_it_look_through_all_that_it_has_loaded(servers):
    [line] = [one for one in LINES if one.world == "iris" and one.wrong == "10,000 columns"]
    took = []
    with httpx.Client(base_url=servers["iris"].address, timeout=30) as http:
        for _ in range(40):
            before = spent(servers["iris"])
            http.request(line.method, line.path, content=line.body, headers=line.headers)
            took.append(spent(servers["iris"]) - before)

    assert max(took) <= SOON


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


@pytest.mark.parametrize("line", CALLS, ids=str)
async def test_a_bad_call_gets_a_status_and_the_next_one_its_answer(servers, call_ports, line):
    assert servers["iris"]
    good = nearly.called(MESSAGE)
    connection = await calls.connected(f"127.0.0.1:{call_ports['iris']}")
    before = await connection.ask(good.path, good.body, good.headers)
    status, told, answer = await connection.ask(line.asked.path, line.asked.body, line.asked.headers)
    after = await connection.ask(good.path, good.body, good.headers)
    connection.close()

    assert (status, answer) == (line.status, b"")
    assert line.word in told
    assert told.strip()
    assert "Traceback" not in told
    assert before[0] == 0
    assert after == before
