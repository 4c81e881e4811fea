"""A tensor as a request carries it, and as an answer leaves: name, datatype and shape, whatever the wire."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ferryman_server.dataplane import convert
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array

KINDS = {kind.value: kind for kind in Kind}
# NumPy has limits of its own, and would name neither the input nor the shape.
_MOST_DIMENSIONS = 32
_LARGEST = 2**40  # elements


@dataclass(frozen=True, slots=True)
class Sent:
    """One input; an array where it came as bytes, else the list that JSON or text made of it."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    data: Array | list[Any]


def kind(name: str, given: object) -> Kind:
    """The datatype that a client wrote."""
    found = KINDS.get(given) if isinstance(given, str) else None
    if found is None:
        raise InvalidInputError(f'Input "{name}" has datatype {convert.shown(given)}; known are {", ".join(KINDS)}.')
    return found


def shape(name: str, given: Sequence[Any] | None) -> tuple[int, ...]:
    """The sizes that a client wrote; what no array could have is refused here."""
    if not isinstance(given, list | tuple) or len(given) > _MOST_DIMENSIONS or not _possible(given):
        raise InvalidInputError(f'Input "{name}": "shape" must be a list of sizes, got {convert.shown(given)}.')
    return tuple(given)


def _possible(sizes: Sequence[Any]) -> bool:
    """Whether an array could have them. NumPy multiplies the others also where one of them is 0."""
    whole = all(type(size) is int and 0 <= size <= _LARGEST for size in sizes)
    return whole and math.prod(size or 1 for size in sizes) <= _LARGEST
