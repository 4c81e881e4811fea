"""Whether a net in smaller numbers still answers as itself: not bit by bit, but so that nobody decides otherwise.

A looser gate than `parity`, for those who asked for speed at this price. Labels, and the place of the largest score
in a row, must be the same on every row of the model's own data; numbers may be off by a share of their usual size.
"""

from dataclasses import dataclass

import numpy as np

from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.optimize.parity import Predict, Verdict
from ferryman_server.optimize.report import Precision


@dataclass(frozen=True, slots=True)
class Bounds:
    """`numbers`: how far they may be off, as the root of the mean square, relative to theirs.

    `decisions`: the share of rows with noise that must be decided alike; of the data's own rows all must.
    """

    numbers: float
    decisions: float


BOUNDS = {Precision.HALF: Bounds(0.005, 0.99), Precision.INT8: Bounds(0.05, 0.97)}


def compare(full: Predict, small: Predict, known: list[Rows], near: list[Rows], bounds: Bounds) -> Verdict:
    """Have both answer the data's own rows, and rows near them."""
    count, worst = 0, 0.0
    for batches, share, what in ((known, 1.0, "its data"), (near, bounds.decisions, "its data with some noise")):
        rows, apart = 0, 0
        for batch in batches:
            told = judge(full(batch), small(batch), bounds)
            if told.why:
                return Verdict(why=told.why)
            rows, apart, worst = rows + told.rows, apart + told.apart, max(worst, told.worst)
        if apart > (1 - share) * rows:
            return Verdict(why=f"it would decide otherwise in {apart} of {rows} rows of {what}")
        count += rows
    return Verdict(count, worst)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers to the same rows: in how many rows they decide otherwise, and how far the numbers are off."""

    rows: int = 0
    apart: int = 0
    worst: float = 0.0
    why: str = ""


def judge(wanted: Answer, got: Answer, bounds: Bounds) -> Difference:
    """Compare them, output by output."""
    rows, worst = 0, 0.0
    apart: Array = np.zeros(0, dtype=bool)
    for name, ours in wanted.items():
        theirs = got[name]
        if ours.shape != theirs.shape:
            return Difference(why=f'output "{name}" would have shape {theirs.shape}, and it has {ours.shape}')
        rows = len(ours) if ours.ndim else 1
        if ours.dtype.kind == "f":
            off = distance(ours, theirs)
            if not off <= bounds.numbers:
                return Difference(
                    why=f'numbers of "{name}" would be {off:.1%} away from its own: more than {bounds.numbers:.1%}'
                )
            worst = max(worst, off)
        differs = _decisions(ours) != _decisions(theirs)
        other = differs.reshape(rows, -1).any(axis=1)
        apart = other if not len(apart) else apart | other
    return Difference(rows, int(apart.sum()), worst)


def distance(wanted: Array, got: Array) -> float:
    """The root of the mean square of the differences, relative to that of the numbers; infinite if one is wild."""
    ours, theirs = wanted.astype(np.float64), got.astype(np.float64)
    tame = np.isfinite(ours)
    if not np.array_equal(ours[~tame], theirs[~tame], equal_nan=True) or not np.isfinite(theirs[tame]).all():
        return float("inf")
    usual = float(np.sqrt(np.mean(ours[tame] ** 2))) if tame.any() else 0.0
    off = float(np.sqrt(np.mean((ours[tame] - theirs[tame]) ** 2))) if tame.any() else 0.0
    return off / max(usual, 1e-30) if off else 0.0


def _decisions(answer: Array) -> Array:
    """What a client goes by: the label itself, the place of the largest of several scores, nothing for a number."""
    if answer.dtype.kind != "f":
        return answer
    if answer.ndim > 1 and answer.shape[-1] > 1:
        return np.asarray(answer.argmax(axis=-1))
    return np.zeros(len(answer) if answer.ndim else 1, dtype=bool)
