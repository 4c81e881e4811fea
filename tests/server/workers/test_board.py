"""Numbers that several processes keep together."""

import os
import subprocess
import sys

from ferryman_server import metrics
from ferryman_server.workers.board import Board, Cell, Pod
from ferryman_server.workers.numbers import PodMetrics, Shared

IRIS = metrics.Identity("iris", "7", "iris-0a1b2c3d")
LABELS = 'model="iris",protocol="v1",revision="iris-0a1b2c3d",version="7"'


def worker(board: Board, row: int) -> metrics.Metrics:
    return metrics.Metrics(IRIS, Shared(board, row))


def value(page: bytes, start: str) -> float:
    [line] = [line for line in page.decode().splitlines() if line.startswith(start)]
    return float(line.rpartition(" ")[2])


def test_whichever_worker_is_asked_tells_what_all_have_done():
    board = Board.new(2)
    one, two = worker(board, 1), worker(board, 2)
    for measures, code, seconds in ((one, 200, 0.25), (two, 200, 0.5), (two, 400, 0.25)):
        measures.began("v1")
        measures.ended("v1", code, seconds)
    one.began("v1")
    two.ready(now=True)

    pages = {one.page(), two.page()}

    [page] = pages
    assert value(page, f'ferryman_requests_total{{code="200",{LABELS}}}') == 2
    assert value(page, f'ferryman_requests_total{{code="400",{LABELS}}}') == 1
    assert value(page, f"ferryman_request_duration_seconds_count{{{LABELS}}}") == 3
    assert value(page, f"ferryman_request_duration_seconds_sum{{{LABELS}}}") == 1.0
    assert value(page, f"ferryman_requests_in_flight{{{LABELS}}}") == 1
    assert value(page, "ferryman_ready{") == 1


def test_a_successor_goes_on_from_the_counts_of_the_one_that_died_and_not_from_its_requests():
    board = Board.new(2)
    one, two = worker(board, 1), worker(board, 2)
    two.began("v1")
    two.ended("v1", 200, 0.25)
    two.began("v1")
    two.ready(now=True)
    board.rows[2][Cell.REST_OPEN] = 5

    board.bury(2)
    successor = worker(board, 2)
    successor.began("v1")
    successor.ended("v1", 200, 0.25)

    page = one.page()
    assert value(page, f'ferryman_requests_total{{code="200",{LABELS}}}') == 2
    assert value(page, f"ferryman_requests_in_flight{{{LABELS}}}") == 0
    assert value(page, "ferryman_ready{") == 0
    assert board.rows[2][Cell.REST_OPEN] == 0


def test_another_process_writes_where_this_one_reads():
    board = Board.new(2)
    os.set_inheritable(board.descriptor, True)
    told = (
        "from ferryman_server.workers.board import Board, Cell; "
        f"Board({board.descriptor}, 3).rows[2][Cell.REST_CAME] = 41"
    )

    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", told], check=True, close_fds=False, env=env)

    assert board.rows[2][Cell.REST_CAME] == 41


def test_the_parents_numbers_are_on_the_page():
    board = Board.new(2)
    measures = worker(board, 1)
    measures.registry.register(PodMetrics(IRIS, board))
    board.rows[0][Pod.READY], board.rows[0][Pod.REPLACED] = 2, 3

    page = measures.page()

    assert value(page, "ferryman_workers{") == 2
    assert value(page, "ferryman_workers_replaced_total{") == 3
