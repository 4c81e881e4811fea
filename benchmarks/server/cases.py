"""What is measured: protocols, cases, and one cell for each server that answers a case in a protocol."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """How a server is asked."""

    V1 = "V1 JSON"
    V2 = "V2 JSON"
    V2_BINARY = "V2 binary"
    GRPC = "V2 gRPC"
    INVOCATIONS = "/invocations"
    OWN = "own JSON"
    """`{"instances": ...}` at a path of the server's own: for those without a protocol."""


class Model(StrEnum):
    """What is asked."""

    IRIS = "iris"
    FOREST = "forest"
    PYFUNC = "pyfunc"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One model, so many rows in a request, so many connections."""

    model: Model
    rows: int
    connections: int

    def __str__(self) -> str:
        return f"{self.model}, {self.rows} row{'s' * (self.rows > 1)}, c={self.connections}"


IRIS_1, IRIS_8, IRIS_32 = (Case(Model.IRIS, 1, connections) for connections in (1, 8, 32))
IRIS_100 = Case(Model.IRIS, 100, 8)
FOREST_1, FOREST_100 = (Case(Model.FOREST, rows, 8) for rows in (1, 100))
PYFUNC_1, PYFUNC_100 = (Case(Model.PYFUNC, rows, 8) for rows in (1, 100))
CASES = (IRIS_1, IRIS_8, IRIS_32, IRIS_100, FOREST_1, FOREST_100, PYFUNC_1, PYFUNC_100)
QUICK = (IRIS_8, FOREST_1)


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One number of the table: a case, asked of a server in a protocol."""

    case: Case
    peer: str
    protocol: Protocol

    def __str__(self) -> str:
        return f"{self.case}: {self.peer}, {self.protocol}"


def rounds(cells: list[Cell], count: int, seed: int) -> list[list[Cell]]:
    """Return every cell once a round, each round in an order of its own, so that no server has a time of day."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    return [chance.sample(cells, len(cells)) for _ in range(count)]
