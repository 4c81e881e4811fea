"""The metrics of a worker: written to its row of the board, read from all, with what the parent tells besides."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ferryman_server.metrics import Identity
from ferryman_server.tally import Cells, Numbers
from ferryman_server.workers import board as boards
from ferryman_server.workers.board import Board, Pod

_MODEL = ("model", "version", "revision")


class Shared(Numbers):
    """Cells on the board."""

    def __init__(self, board: Board, row: int) -> None:
        self._board = board
        self._row = row
        self._places = boards.Places()

    def lasting(self, count: int) -> Cells:
        """For what has happened, since the pod began."""
        return self._cells(self._places.lasting(count))

    def living(self, count: int) -> Cells:
        """For what is now."""
        return self._cells(self._places.living(count))

    def _cells(self, place: slice) -> Cells:
        return Cells(self._board.rows[self._row][place], [row[place] for row in boards.workers(self._board)])


class PodMetrics(Collector):
    """What only the parent knows."""

    def __init__(self, identity: Identity, board: Board) -> None:
        self._values = identity.values
        self._told = board.rows[0]

    def collect(self) -> Iterator[Metric]:
        """By the names of the documentation (prometheus_client's Collector)."""
        for name, words, cell in (
            ("ferryman_workers", "Worker processes that answer.", Pod.READY),
            ("ferryman_workers_wanted", "Worker processes that the cores, or the user, would have.", Pod.WANTED),
            ("ferryman_workers_short_of_memory", "1 while memory keeps another from being started.", Pod.SHORT),
        ):
            gauge = GaugeMetricFamily(name, words, labels=_MODEL)
            gauge.add_metric(self._values, self._told[cell])
            yield gauge
        for name, words, cell in (
            ("ferryman_workers_replaced", "Worker processes that died.", Pod.REPLACED),
            (
                "ferryman_connections_unaccepted",
                "Times that accepting paused, for want of open files or memory.",
                Pod.UNACCEPTED,
            ),
        ):
            counter = CounterMetricFamily(name, words, labels=_MODEL)
            counter.add_metric(self._values, self._told[cell])
            yield counter
