"""Batching conserves work: it never makes an idle model wait, and never lets one row spoil another's."""

import asyncio
import threading
import time

import numpy as np
import pytest

from ferryman_server.dataplane import batch, worker
from ferryman_server.dataplane.errors import OverloadedError, TooManyRowsError
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.waiting import Bounds


class Ledger:
    """An observer that writes down how many rows each run had."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def executed(self, rows: int, seconds: float) -> None:
        self.runs.append(rows)

    def waited(self, seconds: float) -> None:
        assert seconds >= 0


class Gate:
    """A model that doubles its rows once the gate opens, and cannot take negative ones."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, rows: Rows) -> Answer:
        self.entered.set()
        assert self.open.wait(10)
        if (rows.arrays[0] < 0).any():
            raise ValueError("negative")
        return {"predict": rows.arrays[0] * 2}


def _row(value: float) -> Rows:
    return Rows((np.array([[value]]),), 1)


async def _busy(gate: Gate, batcher: batch.Batcher) -> "asyncio.Task[Answer]":
    first = asyncio.create_task(batcher.submit(_row(1)))
    await asyncio.to_thread(gate.entered.wait, 10)
    return first


async def _queued(batcher: batch.Batcher, *values: float) -> "list[asyncio.Task[Answer]]":
    tasks = [asyncio.create_task(batcher.submit(_row(value))) for value in values]
    await asyncio.sleep(0)  # let each task reach the queue
    return tasks


async def test_an_idle_model_gets_a_lone_row_at_once():
    gate, ledger = Gate(), Ledger()
    gate.open.set()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8)

    answer = await batcher.submit(_row(3))

    assert answer["predict"].tolist() == [[6.0]]
    assert ledger.runs == [1]


async def test_rows_that_come_while_the_model_runs_go_together_and_each_gets_its_own():
    gate, ledger = Gate(), Ledger()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 3)
    first = await _busy(gate, batcher)
    others = await _queued(batcher, 2, 3, 4, 5)

    gate.open.set()
    answers = await asyncio.gather(first, *others)

    assert [answer["predict"].item() for answer in answers] == [2, 4, 6, 8, 10]
    assert ledger.runs == [1, 3, 1]


async def test_a_bad_row_fails_alone():
    gate, ledger = Gate(), Ledger()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8)
    first = await _busy(gate, batcher)
    others = await _queued(batcher, 2, -1, 3)

    gate.open.set()
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)

    assert [str(o) if isinstance(o, ValueError) else o["predict"].item() for o in outcomes] == [2, 4, "negative", 6]
    assert ledger.runs == [1, 3, 1, 1, 1]


async def test_rows_of_another_shape_are_not_forced_into_a_batch():
    gate, ledger = Gate(), Ledger()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8)
    first = await _busy(gate, batcher)
    wide = asyncio.create_task(batcher.submit(Rows((np.array([[1.0, 2.0]]),), 1)))
    others = await _queued(batcher, 2)

    gate.open.set()
    answers = await asyncio.gather(first, wide, *others)

    assert answers[1]["predict"].tolist() == [[2.0, 4.0]]
    assert ledger.runs == [1, 1, 1]


async def test_a_client_that_has_gone_costs_the_model_nothing():
    gate, ledger = Gate(), Ledger()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8)
    first = await _busy(gate, batcher)
    gone, stays = await _queued(batcher, 2, 3)

    gone.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, stays)

    assert ledger.runs == [1, 1]


async def test_a_queue_without_end_is_refused():
    gate = Gate()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), Ledger(), 1, bounds=Bounds(requests=2))
    first = await _busy(gate, batcher)
    waiting = await _queued(batcher, 2, 3)

    with pytest.raises(OverloadedError, match="2 requests are already waiting"):
        await batcher.submit(_row(4))

    gate.open.set()
    await asyncio.gather(first, *waiting)


async def test_clients_that_have_gone_do_not_keep_others_out_of_the_queue():
    gate, ledger = Gate(), Ledger()
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8, bounds=Bounds(requests=2))
    first = await _busy(gate, batcher)
    gone = await _queued(batcher, 2, 3)

    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    stays = await _queued(batcher, 4, 5)
    gate.open.set()
    answers = await asyncio.gather(first, *stays)

    assert [answer["predict"].item() for answer in answers] == [2, 8, 10]
    assert ledger.runs == [1, 2]


async def test_rows_that_wait_may_not_fill_the_memory():
    gate = Gate()
    bounds = Bounds(queue_bytes=20)  # two rows and a half
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), Ledger(), 8, bounds=bounds)
    first = await _busy(gate, batcher)
    waiting, gone = await _queued(batcher, 2, 3)

    with pytest.raises(OverloadedError, match="16 bytes of rows are already waiting"):
        await batcher.submit(_row(4))
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    stays = await _queued(batcher, 5)
    gate.open.set()
    answers = await asyncio.gather(first, waiting, *stays)

    assert [answer["predict"].item() for answer in answers] == [2, 4, 10]


async def test_a_lone_request_larger_than_the_queue_waits_its_turn():
    gate = Gate()
    bounds = Bounds(queue_bytes=4)
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), Ledger(), 8, bounds=bounds)
    first = await _busy(gate, batcher)
    waiting = await _queued(batcher, 2)

    gate.open.set()

    assert [answer["predict"].item() for answer in await asyncio.gather(first, *waiting)] == [2, 4]


async def test_nobody_waits_for_ever_behind_a_model_that_is_stuck():
    gate, ledger = Gate(), Ledger()
    bounds = Bounds(queue_seconds=0.05)
    batcher = batch.Batcher(gate, worker.Worker(asyncio.get_running_loop()), ledger, 8, bounds=bounds)
    first = await _busy(gate, batcher)

    late = await asyncio.gather(*await _queued(batcher, 2, 3), return_exceptions=True)
    again = await asyncio.gather(*await _queued(batcher, 4), return_exceptions=True)
    gate.open.set()
    await first

    told = "The model did not come to this request in 0.05 s; try again later."
    assert [(type(one), str(one)) for one in [*late, *again]] == [(OverloadedError, told)] * 3
    assert ledger.runs == [1]


async def test_a_request_with_more_rows_than_one_may_have_is_refused():
    model = Quick()
    thread = worker.Worker(asyncio.get_running_loop())
    batcher = batch.Batcher(model, thread, Ledger(), 8, quick=True, bounds=Bounds(rows=10))
    ten, eleven = Rows((np.ones((10, 1)),), 10), Rows((np.ones((11, 1)),), 11)
    await _predicted(batcher, ten)

    with pytest.raises(TooManyRowsError, match="may have 10 rows, and this one has 11"):
        await _predicted(batcher, eleven)


class Quick:
    """A model that any thread may run, which remembers where it ran and takes as long as it is told."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.seconds = 0.0

    def __call__(self, rows: Rows) -> Answer:
        self.threads.append(threading.current_thread().name)
        deadline = time.perf_counter() + self.seconds
        while time.perf_counter() < deadline:
            pass
        return {"predict": rows.arrays[0] * 2}


async def _predicted(batcher: batch.Batcher, rows: Rows) -> Answer:
    return batcher.at_once(rows) or await batcher.submit(rows)


async def test_a_model_that_is_known_to_be_quick_runs_on_the_event_loop():
    model, ledger = Quick(), Ledger()
    batcher = batch.Batcher(model, worker.Worker(asyncio.get_running_loop()), ledger, 8, quick=True)

    answers = [await _predicted(batcher, _row(value)) for value in (1, 2, 3)]

    assert [answer["predict"].tolist() for answer in answers] == [[[2]], [[4]], [[6]]]
    assert model.threads == ["model", "MainThread", "MainThread"]
    assert ledger.runs == [1, 1, 1]


async def test_a_model_that_became_slow_leaves_the_event_loop_and_comes_back():
    model = Quick()
    batcher = batch.Batcher(model, worker.Worker(asyncio.get_running_loop()), Ledger(), 8, quick=True)
    await _predicted(batcher, _row(1))

    model.seconds = 0.05
    for _ in range(3):
        await _predicted(batcher, _row(1))
    assert model.threads[1:] == ["MainThread", "MainThread", "model"]

    model.seconds = 0.0
    for _ in range(100):
        await _predicted(batcher, _row(1))
    assert model.threads[-1] == "MainThread"


async def test_one_long_run_says_little():
    model = Quick()
    batcher = batch.Batcher(model, worker.Worker(asyncio.get_running_loop()), Ledger(), 8, quick=True)
    for seconds in (0.0, 0.0, 0.2, 0.0):
        model.seconds = seconds
        await _predicted(batcher, _row(1))

    assert model.threads[1:] == ["MainThread"] * 3


async def test_many_rows_say_nothing_about_one():
    model = Quick()
    batcher = batch.Batcher(model, worker.Worker(asyncio.get_running_loop()), Ledger(), 8, quick=True)
    await _predicted(batcher, _row(1))

    model.seconds = 0.05
    many = Rows((np.ones((100, 1)),), 100)
    await _predicted(batcher, many)
    await _predicted(batcher, many)
    model.seconds = 0.0
    await _predicted(batcher, _row(1))

    assert model.threads == ["model", "model", "model", "MainThread"]


async def test_a_model_that_needs_its_own_thread_never_runs_on_the_event_loop():
    model = Quick()
    batcher = batch.Batcher(model, worker.Worker(asyncio.get_running_loop()), Ledger(), 8)

    for _ in range(3):
        await _predicted(batcher, _row(1))

    assert set(model.threads) == {"model"}
