"""What several clients ask in one turn of the event loop: one run of the model, and to each its own answer."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from server.rest.wired import GOOD, MODEL, Server, first, headed, settled


class Crowd:
    """Clients of one server, whose model notes what it is asked."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        self.server = Server(model=replace(MODEL, predict=self._predict))
        self.clients = [self.server.connection() for _ in range(4)]

    def _predict(self, rows: Any) -> Any:
        self.runs.append(rows.arrays[0][:, 0].tolist())
        return first(rows)

    async def ask(self, *values: float) -> list[bytes]:
        """Each of its clients asks for one value, all in one turn; their answers."""
        for (protocol, _), value in zip(self.clients, values, strict=False):
            protocol.data_received(headed({"instances": [[value, 2]]}))
        await asyncio.sleep(0)
        return [self.taken(at) for at in range(len(values))]

    def taken(self, at: int) -> bytes:
        _, transport = self.clients[at]
        written, transport.written = b"".join(transport.written), []
        return written


@pytest.fixture
async def crowd() -> Crowd:
    """Warm: what a run of its model costs is known."""
    crowd = Crowd()
    crowd.server.warm()
    return crowd


async def test_what_several_clients_ask_in_one_turn_is_one_run_and_each_has_its_own_answer(crowd):
    answers = await crowd.ask(1, 2, 3)

    assert crowd.runs == [[1, 2, 3]]
    assert [answer.rpartition(b"\r\n")[2] for answer in answers] == [
        b'{"predictions":[1.0]}',
        b'{"predictions":[2.0]}',
        b'{"predictions":[3.0]}',
    ]


async def test_a_bad_row_among_them_fails_alone(crowd):
    answers = await crowd.ask(1, 13, 14, 4)

    assert [answer[9:12] for answer in answers] == [b"200", b"400", b"500", b"200"]
    assert b"13 brings bad luck" in answers[1]


async def test_whoever_asked_last_and_asks_again_is_not_kept_waiting_for_company(crowd):
    await crowd.ask(1)
    crowd.clients[0][0].data_received(GOOD)

    assert crowd.taken(0).startswith(b"HTTP/1.1 200 OK")


async def test_what_comes_behind_a_prediction_is_answered_behind_it(crowd):
    protocol, _ = crowd.clients[0]
    protocol.data_received(headed({"instances": [[5, 2]]}) + b"GET /ping HTTP/1.1\r\n\r\n" + GOOD)
    await settled(protocol)

    answers = crowd.taken(0)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.index(b"[5.0]") < answers.index(b"[1.0]")
    assert b"predictions" not in answers[answers.index(b"[5.0]") + 5 : answers.rindex(b"HTTP/1.1 200")]


@pytest.mark.parametrize("ends", [
    lambda protocol: protocol.data_received(b"\0\0\0\r\n\r\n"),
    lambda protocol: protocol.eof_received(),
    lambda protocol: protocol.shutdown(),
], ids=["nonsense", "the end of what it says", "the end of the server"])  # fmt: skip
async def test_what_was_asked_before_the_end_is_answered_before_it(crowd, ends):
    protocol, transport = crowd.clients[0]
    protocol.data_received(GOOD)
    assert not transport.written
    assert not protocol.rests()

    ends(protocol)

    assert crowd.taken(0).startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_leaves_in_the_same_turn_takes_nobody_elses_answer_along(crowd):
    for protocol, _ in crowd.clients[:2]:
        protocol.data_received(GOOD)
    crowd.clients[0][1].closed = True
    crowd.clients[0][0].connection_lost(None)
    await asyncio.sleep(0)

    assert crowd.taken(0) == b""
    assert crowd.taken(1).startswith(b"HTTP/1.1 200 OK")
