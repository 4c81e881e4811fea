"""Calls that come in one turn of the event loop are one run of the model, and each is answered."""

import asyncio

import h2.events
import pytest
from server import plain
from server.grpc import words
from server.http2.pair import Pair, body_of, of

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import matrix
from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.grpc_api.server import Calls

TYPE = ("content-type", "application/grpc")


class Caller:
    """One client of a server whose model notes what it is asked, and cannot take 13."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        serving, measures = plain.serve(Model("test", matrix(1), self._predict, quick=True))
        assert serving.plane is not None
        serving.plane._batcher._costs.ran(1, 0.000_01)
        self.pair = Pair(Calls(serving, measures))

    def _predict(self, rows: Rows) -> Answer:
        self.runs.append(rows.arrays[0][:, 0].tolist())
        if 13 in rows.arrays[0]:
            raise ValueError("13 brings bad luck")
        return {"y": rows.arrays[0][:, 0]}

    def ask(self, value: float) -> int:
        """The number of its stream."""
        given = {"name": "x", "datatype": "FP64", "shape": [1, 1], "contents": {"fp64_contents": [value]}}
        message = words.request(given).SerializeToString()
        path = "/inference.GRPCInferenceService/ModelInfer"
        return self.pair.ask(b"\0" + len(message).to_bytes(4, "big") + message, path=path, more=(TYPE,))

    def heard(self) -> dict[int, list[float] | str]:
        """What each stream was told."""
        events = self.pair.client.receive_data(self.pair.wire.taken())
        told: dict[int, list[float] | str] = {}
        for event in of(events, h2.events.DataReceived):
            body = body_of([event])
            answer = messages.ModelInferResponse.FromString(body[5:])
            told[event.stream_id] = list(answer.outputs[0].contents.fp64_contents)
        for event in of(events, h2.events.ResponseReceived):
            status = dict(event.headers).get("grpc-status")
            if status:
                told[event.stream_id] = status
        return told


@pytest.fixture
async def caller() -> Caller:
    return Caller()


async def test_calls_of_one_turn_share_a_run_and_a_bad_one_fails_alone(caller):
    first, second, third = (caller.ask(value) for value in (1, 2, 13))
    caller.pair.raw(caller.pair.client.data_to_send())
    assert caller.runs == []
    await asyncio.sleep(0)

    assert caller.runs == [[1, 2, 13], [1], [2], [13]]
    assert caller.heard() == {first: [1], second: [2], third: "3"}


async def test_a_client_that_is_alone_and_asks_again_is_answered_at_once(caller):
    for value in (1, 2):
        number = caller.ask(value)
        caller.pair.raw(caller.pair.client.data_to_send())
        if value == 1:
            await asyncio.sleep(0)
        assert caller.heard() == {number: [value]}


async def test_a_call_that_is_given_up_in_its_turn_takes_no_other_along(caller):
    first, second = caller.ask(1), caller.ask(2)
    caller.pair.client.reset_stream(first)
    caller.pair.raw(caller.pair.client.data_to_send())
    await asyncio.sleep(0)

    assert caller.heard() == {second: [2]}
