"""What the converting process tells the server: a graph and what it promises, or why there is none.

On the pipe: one line of JSON, then the graph's bytes.
"""

import enum

import msgspec

from ferryman_server.dataplane.schema import Column, Table


class Precision(enum.StrEnum):
    """The type of the graph's numbers."""

    FLOAT = "float"
    DOUBLE = "double"
    HALF = "fp16"
    INT8 = "int8"


class Refusal(enum.StrEnum):
    """Numbers that the estimator refuses and a graph would not: the server must refuse them itself."""

    NAN = "NaN"
    INFINITY = "infinity"
    HUGE = "a value too large for FP32"


class Inputs(msgspec.Struct, frozen=True):
    """A `Table`, as JSON can say it."""

    columns: tuple[Column, ...]
    named: bool
    packed: str = ""
    tensor: str = "input"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`why` is empty where a graph follows. `rows` were compared, the worst relative difference was `worst`."""

    why: str = ""
    precision: Precision = Precision.DOUBLE
    inputs: Inputs | None = None
    refuses: tuple[Refusal, ...] = ()
    separate: bool = False  # whether the graph takes one input a column
    dtype: str = ""  # the estimator's own type of answer
    flat: bool = True  # whether its answer has one value a row
    piece: int = 0  # rows that it is given at a time, where fewer are quicker; 0 for all
    rows: int = 0
    worst: float = 0.0
    faster: float = 0.0  # how many times as fast, where that was measured


def inputs(table: Table) -> Inputs:
    """The table without what can be worked out."""
    return Inputs(table.columns, table.named, table.packed or "", table.tensor)


def write(report: Report, graph: bytes = b"") -> bytes:
    """For the pipe."""
    return msgspec.json.encode(report) + b"\n" + graph


def read(told: bytes) -> tuple[Report, bytes]:
    """From the pipe; `ValueError` when it broke off."""
    line, _, graph = told.partition(b"\n")
    return msgspec.json.decode(line, type=Report), graph
