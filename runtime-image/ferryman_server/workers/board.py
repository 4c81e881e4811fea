"""Memory that all processes of a pod see: one row for each worker, and row 0 for the parent.

A number is written by one process only, whole, and read by any. No lock, no message: a worker that is stuck or dead
can still be read.
"""

import enum
import mmap
import os
from collections.abc import Sequence

_WIDTH = 8
CELLS = 1 << 13
_LASTING = 32
_LIVING = CELLS // 4 * 3


class Cell(enum.IntEnum):
    """What a worker tells of itself, several times a second, for the parent."""

    BEAT = 0
    """When its event loop last ran (time.monotonic)."""
    REST_OPEN = 1
    REST_CAME = 2
    """How many connections it had been given by then."""
    GRPC_OPEN = 3
    GRPC_CAME = 4


class Pod(enum.IntEnum):
    """What the parent tells of all, for the metrics."""

    READY = 0
    WANTED = 1
    SHORT = 2
    """1 while memory keeps it from starting another."""
    REPLACED = 3
    UNACCEPTED = 4
    """How often a connection could not be accepted for want of files or memory."""


class Board:
    """Made by the parent, opened by each worker."""

    def __init__(self, descriptor: int, rows: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, rows * CELLS * _WIDTH)
        whole = memoryview(self._memory).cast("d")
        self.rows: list[memoryview[float]] = [whole[at * CELLS : (at + 1) * CELLS] for at in range(rows)]

    @classmethod
    def new(cls, workers: int) -> "Board":
        """All zeros. Pages that nobody writes take no memory."""
        descriptor = os.memfd_create("ferryman-workers")
        os.ftruncate(descriptor, (workers + 1) * CELLS * _WIDTH)
        return cls(descriptor, workers + 1)

    def bury(self, row: int) -> None:
        """A worker has gone: what it did stays, what it was doing does not."""
        ended = self.rows[row]
        ended[:_LASTING] = _zeros(_LASTING)
        ended[_LIVING:] = _zeros(CELLS - _LIVING)


def _zeros(count: int) -> "memoryview[float]":
    return memoryview(bytes(count * _WIDTH)).cast("d")


class Places:
    """Hands out the cells of a row, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._lasting = _LASTING
        self._living = _LIVING

    def lasting(self, count: int) -> slice:
        """The next that outlive the worker."""
        self._lasting += count
        assert self._lasting <= _LIVING, "the board has no room for more numbers"
        return slice(self._lasting - count, self._lasting)

    def living(self, count: int) -> slice:
        """The next that go with it."""
        self._living += count
        assert self._living <= CELLS, "the board has no room for more numbers"
        return slice(self._living - count, self._living)


def workers(board: Board) -> "Sequence[memoryview[float]]":
    """Their rows."""
    return board.rows[1:]
