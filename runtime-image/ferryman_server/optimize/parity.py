"""Whether a graph answers as its estimator does: the gate before anything else may answer in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferryman_server.dataplane.rows import Answer, Array, Rows

TOLERANCE = 1e-5
"""The largest relative difference of a number; labels must be the same."""

Predict = Callable[[Rows], Answer]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows were compared and how far the numbers were apart; `why` if that was too far."""

    rows: int = 0
    worst: float = 0.0
    why: str = ""


def compare(estimator: Predict, graph: Predict, batches: list[Rows]) -> Verdict:
    """Have both answer all batches."""
    count, worst = 0, 0.0
    for batch in batches:
        wanted, got = _only(estimator(batch)), _only(graph(batch))
        verdict = judge(wanted, got)
        if verdict.why:
            return verdict
        count, worst = count + verdict.rows, max(worst, verdict.worst)
    return Verdict(count, worst)


def judge(wanted: Array, got: Array) -> Verdict:
    """Compare two answers to the same rows."""
    rows = len(wanted)
    if wanted.shape != got.shape:
        return Verdict(why=f"its graph answers with shape {got.shape}, and it with {wanted.shape}")
    if wanted.dtype.kind == "f":
        worst = distance(wanted, got)
        if not worst <= TOLERANCE:
            return Verdict(why=f"its graph's numbers are {worst:.1e} away from its own, more than {TOLERANCE:.0e}")
        return Verdict(rows, worst)
    differs = int((wanted != got).sum())
    if differs:
        return Verdict(why=f"its graph gives another label for {differs} of {rows} rows")
    return Verdict(rows)


def distance(wanted: Any, got: Any) -> float:
    """The largest difference, relative to the wanted number, or to the usual one where that is near nothing."""
    finite = np.isfinite(wanted)
    usual = float(np.median(np.abs(wanted[finite]))) if finite.any() else 1.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(wanted - got) / np.maximum(np.abs(wanted), max(1e-2 * usual, 1e-300))
    same = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    return float(np.nan_to_num(np.where(same, 0.0, apart), nan=np.inf).max(initial=0.0))


def _only(answer: Answer) -> Array:
    [array] = answer.values()
    return array
