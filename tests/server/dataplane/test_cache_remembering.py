"""A remembering plane asks the model once for what is asked at the same time, or again; and for nothing else."""

import asyncio
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from ferryman_server.dataplane import batch, schema, worker
from ferryman_server.dataplane.cache import Cache
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.key import Keys
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.remembering import RememberingPlane
from ferryman_server.dataplane.rows import Answer, Rows


@dataclass
class Ledger:
    """Everybody's observer: what was remembered where, and how often the model was asked."""

    hits: list[str] = field(default_factory=list)
    misses: int = 0

    def remembered(self, where: str) -> None:
        self.hits.append(where)

    def asked(self) -> None:
        self.misses += 1

    def executed(self, rows: int, seconds: float) -> None:
        assert rows > 0

    def waited(self, seconds: float) -> None:
        assert seconds >= 0


class Oracle:
    """A model that writes down what it was asked, doubles it once the gate is open, and cannot take negative ones."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def __call__(self, rows: Rows) -> Answer:
        self.asked.append(rows.arrays[0].tolist())
        self.entered.set()
        assert self.open.wait(10)
        if (rows.arrays[0] < 0).any():
            raise ValueError("negative")
        return {"predict": rows.arrays[0] * 2}


class Neighbour:
    """What the other replicas know, as one who answers when told to."""

    def __init__(self, known: dict[bytes, tuple[Answer, float]] | None = None) -> None:
        self.known = known or {}
        self.told: list[bytes] = []
        self.asked = 0

    async def get(self, key: bytes) -> tuple[Answer, float] | None:
        self.asked += 1
        await asyncio.sleep(0)
        return self.known.get(key)

    def put(self, key: bytes, answer: Answer) -> None:
        self.told.append(key)


KEYS = Keys(("iris",))


def row(value: float) -> Rows:
    return Rows((np.array([[value]]),), 1)


@dataclass
class World:
    """A plane with a model behind it, and all who watched."""

    plane: RememberingPlane
    oracle: Oracle
    ledger: Ledger
    clock: list[float]

    async def ask(self, value: float) -> float:
        return float((await self.plane.predict(row(value)))["predict"].item())

    async def slowly(self, *values: float) -> "list[asyncio.Task[float]]":
        """Questions that are on their way, the first of them in the model, which waits."""
        self.oracle.open.clear()
        tasks = [asyncio.create_task(self.ask(value)) for value in values]
        await asyncio.to_thread(self.oracle.entered.wait, 10)
        return tasks


def world(shared: Neighbour | None = None, *, quick: bool = False, most: int = 1 << 20) -> World:
    oracle, ledger, clock = Oracle(), Ledger(), [0.0]
    model = Model("oracle", schema.matrix(1), oracle, quick=quick)
    batcher = batch.Batcher(oracle, worker.Worker(asyncio.get_running_loop()), ledger, 8, quick=quick)
    memory = Cache[Answer](most, lambda: clock[0])
    plane = RememberingPlane(model, batcher, KEYS, memory, seconds=60, observer=ledger, shared=shared)
    return World(plane, oracle, ledger, clock)


@pytest.mark.parametrize("quick", [False, True])
async def test_the_model_is_asked_once_for_the_same_rows_and_again_when_their_time_is_over(quick):
    it = world(quick=quick)

    answers = [await it.ask(value) for value in (1, 2, 1, 2, 1)]
    it.clock[0] = 60.0
    answers.append(await it.ask(1))

    assert answers == [2, 4, 2, 4, 2, 2]
    assert it.oracle.asked == [[[1.0]], [[2.0]], [[1.0]]]
    assert (it.ledger.hits, it.ledger.misses) == (["memory"] * 3, 3)


async def test_equal_questions_on_their_way_are_asked_once():
    it = world()

    asking = await it.slowly(1, 1, 1, 2)
    it.oracle.open.set()

    assert await asyncio.gather(*asking) == [2, 2, 2, 4]
    assert it.oracle.asked == [[[1.0]], [[2.0]]]
    assert (sorted(it.ledger.hits), it.ledger.misses) == (["flight", "flight"], 2)


async def test_equal_questions_of_one_turn_are_one_row_of_the_run_and_remembered():
    it = world(quick=True)
    it.plane._batcher._costs.ran(1, 0.000_01)
    told: list[object] = []

    def ask(value: float) -> bool:
        def then(outcome: Answer | Exception) -> None:
            told.append(str(outcome) if isinstance(outcome, Exception) else float(outcome["predict"].item()))

        return it.plane.soon(row(value), object(), then)

    assert all(ask(value) for value in (1, 2, 1))
    await asyncio.sleep(0)
    assert sorted(told) == [2, 2, 4]
    assert it.oracle.asked == [[[1.0], [2.0]]]
    assert (it.ledger.hits, it.ledger.misses) == (["flight"], 2)

    assert ask(1)
    assert told[-1] == 2
    assert it.ledger.hits == ["flight", "memory"]
    assert len(it.oracle.asked) == 1


async def test_one_who_cannot_take_an_answer_keeps_nobody_who_asked_the_same_from_theirs():
    it = world(quick=True)
    it.plane._batcher._costs.ran(1, 0.000_01)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    told: list[float] = []

    def breaks(outcome: Answer | Exception) -> None:
        raise RuntimeError(f"no room for {type(outcome).__name__}")

    assert it.plane.soon(row(1), object(), breaks)
    assert it.plane.soon(row(1), object(), lambda outcome: told.append(float(outcome["predict"].item())))
    await asyncio.sleep(0)

    assert told == [2]


async def test_an_error_of_a_turn_is_told_to_all_who_asked_it_and_not_remembered():
    it = world(quick=True)
    it.plane._batcher._costs.ran(1, 0.000_01)
    told: list[str] = []
    for _ in range(2):
        assert it.plane.soon(row(-1), object(), lambda outcome: told.append(str(outcome)))
    await asyncio.sleep(0)
    assert told == ["negative", "negative"]

    assert it.plane.soon(row(-1), object(), lambda outcome: told.append(str(outcome)))
    await asyncio.sleep(0)
    assert len(told) == 3
    assert (it.ledger.hits, it.ledger.misses) == (["flight"], 0)


async def test_a_question_that_a_busy_model_could_not_be_asked_in_its_turn_may_be_asked_again():
    it = world()

    assert not it.plane.soon(row(1), object(), lambda _: None)
    assert not it.plane.soon(row(1), object(), lambda _: None)
    assert it.ledger.hits == []


async def test_who_leaves_does_not_take_the_answer_from_the_others():
    it = world()
    first, second, third = await it.slowly(1, 1, 1)

    first.cancel()
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    it.oracle.open.set()

    assert await third == 2
    assert first.cancelled()
    assert second.cancelled()
    assert it.oracle.asked == [[[1.0]]]


async def test_a_question_that_all_have_left_is_not_put_to_the_model_and_nobody_can_join_it():
    it = world()
    _, left = await it.slowly(1, 2)

    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    again = asyncio.create_task(it.ask(2))
    await asyncio.sleep(0)
    it.oracle.open.set()

    assert await again == 4
    assert it.oracle.asked == [[[1.0]], [[2.0]]], "asked for the one who came back only"


async def test_who_leaves_at_the_last_moment_leaves_nothing_for_who_comes_then():
    it = world()
    [left] = await it.slowly(2)

    left.cancel()
    again = asyncio.create_task(it.ask(2))  # before the cancelled one has had its turn
    await asyncio.sleep(0)
    third = asyncio.create_task(it.ask(2))
    await asyncio.sleep(0)
    it.oracle.open.set()

    assert [await again, await third] == [4, 4]
    assert it.ledger.hits == ["flight"], "the third went with the one who came back"


async def test_an_error_is_told_to_all_who_asked_together_and_not_remembered():
    it = world()

    asking = await it.slowly(-1, -1)
    it.oracle.open.set()
    told = await asyncio.gather(*asking, return_exceptions=True)
    with pytest.raises(InvalidInputError, match="negative"):
        await it.ask(-1)

    assert [type(one) for one in told] == [InvalidInputError, InvalidInputError]
    assert it.oracle.asked == [[[-1.0]], [[-1.0]]]


async def test_a_model_that_writes_into_its_rows_or_keeps_its_answer_changes_no_memory():
    it = world()
    buffer = np.zeros((1, 1))

    def careless(rows: Rows) -> Answer:
        np.multiply(rows.arrays[0], 2, out=buffer)
        rows.arrays[0][:] = 9
        return {"predict": buffer}

    it.plane._plain._batcher._predict = careless

    assert [await it.ask(value) for value in (1, 2, 1, 2)] == [2, 4, 2, 4]


async def test_what_the_replicas_know_is_not_asked_again_and_stays_only_for_what_is_left_of_its_time():
    neighbour = Neighbour({KEYS.of(row(1)): ({"predict": np.array([[2.0]])}, 5.0)})
    it = world(neighbour)

    answers = [await it.ask(1), await it.ask(1)]
    it.clock[0] = 5.0
    neighbour.known.clear()
    answers.append(await it.ask(1))

    assert answers == [2, 2, 2]
    assert (it.ledger.hits, it.ledger.misses, it.oracle.asked) == (["redis", "memory"], 1, [[[1.0]]])
    assert neighbour.told == [KEYS.of(row(1))]


async def test_many_who_ask_at_once_ask_the_replicas_once():
    neighbour = Neighbour()
    it = world(neighbour)

    assert await asyncio.gather(*(it.ask(1) for _ in range(20))) == [2] * 20

    assert (neighbour.asked, len(neighbour.told), len(it.oracle.asked)) == (1, 1, 1)


async def test_a_model_that_is_quicker_than_any_network_asks_nobody():
    neighbour = Neighbour()
    it = world(neighbour, quick=True)
    await it.ask(1)  # its cost is not known yet: it may be slow
    asked = neighbour.asked

    assert [await it.ask(value) for value in (2, 3, 2)] == [4, 6, 4]
    assert neighbour.asked == asked


async def test_what_cannot_be_kept_is_answered_all_the_same():
    it = world(most=10)
    huge = Rows((np.zeros((100_000, 1)),), 100_000)

    assert [await it.ask(1), await it.ask(1)] == [2, 2]
    assert len((await it.plane.predict(huge))["predict"]) == 100_000
    assert (it.ledger.hits, it.ledger.misses) == ([], 3)
