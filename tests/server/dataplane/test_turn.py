"""What comes in one turn of the event loop is one run of the model, as far as it may be."""

import asyncio

import numpy as np
import pytest

from ferryman_server.dataplane.costs import Costs
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.turn import Turn


class Ledger:
    """The observer, and the model: doubles its rows, and cannot take negative ones."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        self.counted: list[int] = []
        self.waits = 0

    def predict(self, rows: Rows) -> Answer:
        self.runs.append(rows.arrays[0][:, 0].tolist())
        if (rows.arrays[0] < 0).any():
            raise ValueError("negative")
        return {"predict": rows.arrays[0][:, 0] * 2}

    def executed(self, rows: int, seconds: float) -> None:
        assert seconds >= 0
        self.counted.append(rows)

    def waited(self, seconds: float) -> None:
        assert seconds == 0
        self.waits += 1


class Asked:
    """A turn, and who asks in it: each by another client, if nothing else is said."""

    def __init__(self, max_rows: int = 64) -> None:
        self.ledger, self.costs = Ledger(), Costs()
        self.costs.ran(1, 0.000_01)
        self.turn = Turn(self.ledger.predict, self.costs, self.ledger, max_rows)
        self.answers: dict[str, object] = {}

    def ask(self, *values: float, asker: object = None, dtype: type = np.float64) -> None:
        def then(outcome: Answer | Exception) -> None:
            told = str(outcome) if isinstance(outcome, Exception) else outcome["predict"].tolist()
            self.answers[str(values)] = told

        rows = Rows((np.array([[value] for value in values], dtype=dtype),), len(values))
        self.turn.come(rows, asker or object(), then)


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def test_requests_of_one_turn_share_a_run_and_each_has_its_part(asked):
    asked.ask(1)
    asked.ask(2, 3)
    asked.ask(4)
    assert asked.ledger.runs == []
    await asyncio.sleep(0)

    assert asked.ledger.runs == [[1, 2, 3, 4]]
    assert asked.answers == {"(1,)": [2], "(2, 3)": [4, 6], "(4,)": [8]}
    assert (asked.ledger.counted, asked.ledger.waits) == ([4], 3)


async def test_the_next_turn_is_another(asked):
    asked.ask(1)
    await asyncio.sleep(0)
    asked.ask(2)
    await asyncio.sleep(0)

    assert asked.ledger.runs == [[1], [2]]


async def test_who_asked_last_is_answered_at_once_if_nobody_else_is_there(asked):
    somebody = object()
    asked.ask(1, asker=somebody)
    await asyncio.sleep(0)
    asked.ask(2, asker=somebody)
    assert asked.ledger.runs == [[1], [2]]

    asked.ask(3)
    asked.ask(4, asker=somebody)
    assert asked.ledger.runs == [[1], [2]]
    await asyncio.sleep(0)
    assert asked.ledger.runs == [[1], [2], [3, 4]]


async def test_a_bad_row_fails_alone(asked):
    for value in (1, -2, 3):
        asked.ask(value)
    await asyncio.sleep(0)

    assert asked.ledger.runs == [[1, -2, 3], [1], [-2], [3]]
    assert asked.answers == {"(1,)": [2], "(-2,)": "negative", "(3,)": [6]}


@pytest.mark.parametrize(("max_rows", "runs"), [(1, [[1], [2, 3], [4]]), (3, [[1, 2, 3], [4]])])
async def test_no_run_has_more_rows_of_several_than_it_may(max_rows, runs):
    asked = Asked(max_rows)
    asked.ask(1)
    asked.ask(2, 3)
    asked.ask(4)
    await asyncio.sleep(0)

    assert asked.ledger.runs == runs


async def test_what_does_not_fit_together_runs_apart(asked):
    asked.ask(1)
    asked.ask(2, dtype=np.int64)
    await asyncio.sleep(0)

    assert asked.ledger.runs == [[1], [2]]


async def test_a_run_that_would_hold_up_others_is_made_in_parts(asked):
    for _ in range(50):
        asked.costs.ran(1, 0.000_4)
    for value in range(1, 5):
        asked.ask(value)
    await asyncio.sleep(0)

    assert max(map(len, asked.ledger.runs)) < 4
    assert sorted(value for run in asked.ledger.runs for value in run) == [1, 2, 3, 4]


async def test_one_who_cannot_take_an_answer_keeps_nobody_from_theirs(asked):
    said = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: said.append(told["exception"]))

    def breaks(outcome: Answer | Exception) -> None:
        raise RuntimeError(f"no room for {type(outcome).__name__}")

    asked.turn.come(Rows((np.array([[1.0]]),), 1), object(), breaks)
    asked.ask(2)
    await asyncio.sleep(0)

    assert asked.answers == {"(2,)": [4]}
    assert [str(one) for one in said] == ["no room for dict"]


async def test_to_settle_is_to_answer_now_and_only_once(asked):
    asked.ask(1)
    asked.ask(2)
    asked.turn.settle()
    assert asked.answers == {"(1,)": [2], "(2,)": [4]}

    await asyncio.sleep(0)
    assert asked.ledger.runs == [[1, 2]]


async def test_whoever_asks_while_others_are_answered_has_a_turn_too(asked):
    def again(outcome: Answer | Exception) -> None:
        assert not isinstance(outcome, Exception)
        asked.ask(7)

    asked.turn.come(Rows((np.array([[6.0]]),), 1), object(), again)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert asked.ledger.runs == [[6], [7]]


def test_what_runs_cost_is_known_by_size_and_guessed_in_proportion_for_those_that_come_together():
    costs = Costs()
    assert not costs.short(1)
    assert costs.most_together() == 1

    costs.ran(1, 0.000_1)
    assert costs.short(1)
    assert not costs.short(100)
    assert costs.most_together() == 10

    costs.ran(100, 0.000_2)
    assert costs.short(100)
    assert costs.most_together() == 320

    for _ in range(100):
        costs.ran(100, 0.002)
    assert costs.most_together() == 10
