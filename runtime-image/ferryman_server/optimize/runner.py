"""Runs a converted graph in place of its estimator: the same inputs, the same refusals, the same type of answer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Table
from ferryman_server.load import onnx_file
from ferryman_server.optimize.report import Refusal, Report

_LARGEST_FLOAT, _LARGEST_DOUBLE = float(np.finfo(np.float32).max), float(np.finfo(np.float64).max)

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(string)": np.dtype(object),
}

_SMALL = _LARGEST_FLOAT  # of a sum of squares: each is below the largest number of both types
Check = Callable[[Array], bool]


class Runner:
    """One graph."""

    def __init__(self, graph: bytes, report: Report, table: Table, threads: int) -> None:
        self._session = onnx_file.session(graph, threads)
        self._inputs = [(one.name, _DTYPES[one.type]) for one in self._session.get_inputs()]
        self._name, self._dtype = self._inputs[0]
        self._outputs = [self._session.get_outputs()[0].name]
        self._table = table
        self._refuses = report.refuses
        self._refused = check(report.refuses)
        self._gives = np.dtype(report.dtype) if report.dtype else None
        self._flat = report.flat
        self._piece = report.piece
        self.predict: Callable[[Rows], Answer] = self._by_column if report.separate else self._whole

    def _whole(self, rows: Rows) -> Answer:
        """Where the graph takes the matrix as it is."""
        matrix = rows.arrays[0]
        if self._refused is not None and self._refused(matrix):
            raise self._refusal(rows)
        if matrix.dtype != self._dtype:
            matrix = matrix.astype(self._dtype)
        return self._answer(self._run({self._name: matrix}))

    def _by_column(self, rows: Rows) -> Answer:
        """Where the graph has one input a column."""
        columns = rows.arrays[0].T if self._table.packed else rows.arrays
        given = {}
        for (name, dtype), column in zip(self._inputs, columns, strict=True):
            if self._refused is not None and column.dtype.kind == "f" and self._refused(column):
                raise self._refusal(rows)
            given[name] = column.astype(dtype, copy=False).reshape(-1, 1)
        return self._answer(self._run(given))

    def _run(self, given: dict[str, Array]) -> Array:
        count, piece = len(given[self._name]), self._piece
        if not piece or count <= piece:
            answer: Array = self._session.run(self._outputs, given)[0]
            return answer
        pieces = -(-count // piece)  # of the same size, or one row more
        parts = zip(*(np.array_split(array, pieces) for array in given.values()), strict=True)
        return np.concatenate(
            [self._session.run(self._outputs, dict(zip(given, part, strict=True)))[0] for part in parts]
        )

    def _answer(self, answer: Array) -> Answer:
        if self._flat and answer.ndim == 2:
            answer = answer[:, 0]
        if self._gives is not None and answer.dtype != self._gives:
            answer = answer.astype(self._gives)
        return {"predict": answer}

    def _refusal(self, rows: Rows) -> InvalidInputError:
        """Names the first such number as the client would call it."""
        columns = rows.arrays[0].T if self._table.packed else rows.arrays
        for column, values in zip(self._table.columns, columns, strict=True):
            for what in self._refuses if values.dtype.kind == "f" else ():
                places = np.flatnonzero(_TESTS[what](values))
                if len(places):
                    where = f"{column.name} is {what} in row {places[0]}"
                    return InvalidInputError(f"The model does not take these values: {where}.")
        raise AssertionError("a number was refused that no rule refuses")


def check(refuses: tuple[Refusal, ...]) -> Check | None:
    """Whether some number of an array is one of the refused."""
    if not refuses:
        return None
    largest = _LARGEST_FLOAT if Refusal.HUGE in refuses else _LARGEST_DOUBLE
    if {Refusal.NAN, Refusal.INFINITY} <= set(refuses):
        return lambda array: not _plainly_small(array) and not np.maximum.reduce(np.abs(array), axis=None) <= largest
    tests = [_TESTS[one] for one in refuses]
    return lambda array: any(bool(test(array).any()) for test in tests)


def _plainly_small(array: Array) -> bool:
    """The usual case in one step: with a finite sum of squares no number is NaN, infinite, or far above 1e19.

    Of larger ones a comparison is the judge: NaN is below nothing, and infinity not below the largest number.
    """
    return bool(np.vdot(array, array) < _SMALL)  # type: ignore[arg-type]  # of numbers only


_TESTS: dict[Refusal, Callable[[Array], Array]] = {
    Refusal.NAN: np.isnan,
    Refusal.INFINITY: np.isinf,
    Refusal.HUGE: lambda array: np.isfinite(array) & (np.abs(array) > _LARGEST_FLOAT),
}
