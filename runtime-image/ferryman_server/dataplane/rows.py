"""Some rows on their way through the model, as NumPy arrays, with how to join and split them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Answer = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Rows:
    """Arrays in the schema's order; `names` only where the request chose them (a free table).

    `params` are MLflow's: what a request asks of the model beside its rows. Such rows go through it alone.
    `signature` is which of a model's functions they are for, if not the default one.
    """

    arrays: tuple[Array, ...]
    count: int
    names: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    signature: str = ""

    def fits(self, other: "Rows") -> bool:
        """Whether both can go through the model as one batch."""
        if self.params or other.params or self.names != other.names or self.signature != other.signature:
            return False
        for a, b in zip(self.arrays, other.arrays, strict=True):
            if a.dtype != b.dtype or a.shape[1:] != b.shape[1:]:
                return False
        return True


def size(rows: Rows) -> int:
    """Its bytes; of text only the places that hold it."""
    return sum(array.nbytes for array in rows.arrays)


def join(parts: list[Rows]) -> Rows:
    """One batch of several requests' rows."""
    if len(parts) == 1:
        return parts[0]
    arrays = tuple(np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True))
    return Rows(arrays, sum(part.count for part in parts), parts[0].names, signature=parts[0].signature)


def splittable(answer: Answer, count: int) -> bool:
    """Whether every output has one entry a row, so that requests can have theirs back."""
    return all(array.ndim > 0 and array.shape[0] == count for array in answer.values())


def split(answer: Answer, counts: list[int]) -> list[Answer]:
    """Each request's part of a batch's answer."""
    parts, start = [], 0
    for count in counts:
        stop = start + count
        parts.append({name: array[start:stop] for name, array in answer.items()})
        start = stop
    return parts
