"""Lists of Python values to NumPy arrays, strictly: nothing is guessed, and the wrong value is named.

NumPy alone would turn "1.5" into 1.5 and true into 1.0. The types of the values are collected at C
speed first, so a good request pays one pass; only a bad one is walked again to find its culprit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array

_NUMBERS = frozenset({int, float})
_WHOLE = frozenset({int})
_NULLABLE = frozenset({int, float, type(None)})
_TEXT = frozenset({str})
_TRUTH = frozenset({bool})

Where = Callable[[int], str]


def array(values: Sequence[Any], kind: Kind, where: Where, *, nullable: bool = False) -> Array:
    """Values of one kind; `where` says how a client would call the value at an index."""
    types = set(map(type, values))
    if kind.is_float:
        good = types <= _NULLABLE
    elif kind.is_integer:
        good = types <= _WHOLE or (types <= _NUMBERS and all(float(value).is_integer() for value in values))
    else:
        good = types <= (_TRUTH if kind is Kind.BOOL else _TEXT)
    if not good and nullable and type(None) in types:
        return _with_nulls(values, kind, where)
    if not good:
        raise _culprit(values, kind, where)
    try:
        return np.array(values, dtype=kind.dtype)
    except OverflowError:
        raise _too_large(values, kind, where) from None


def _with_nulls(values: Sequence[Any], kind: Kind, where: Where) -> Array:
    """A column whose absent values have no number to stand for them: held as objects, None where absent."""
    places = [at for at, value in enumerate(values) if value is not None]
    found = array([values[at] for at in places], kind, lambda at: where(places[at]))
    result = np.full(len(values), None, dtype=object)
    result[places] = found
    return result


def _culprit(values: Sequence[Any], kind: Kind, where: Where) -> InvalidInputError:
    for at, value in enumerate(values):
        if not _fits(value, kind):
            return InvalidInputError(f"{where(at)} must be {kind.noun}, got {describe(value)}.")
    raise AssertionError("array() found a wrong type that _culprit() does not")


def _fits(value: Any, kind: Kind) -> bool:
    if kind is Kind.BOOL:
        return isinstance(value, bool)
    if kind is Kind.BYTES:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind.is_float:
        return value is None or isinstance(value, int | float)
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _too_large(values: Sequence[Any], kind: Kind, where: Where) -> InvalidInputError:
    for at, value in enumerate(values):
        try:
            np.array(value, dtype=kind.dtype)
        except OverflowError:
            return InvalidInputError(f"{where(at)} is {str(value)[:40]}, which does not fit {kind.value}.")
    raise AssertionError("a value overflowed together and none does alone")


def describe(value: Any) -> str:
    """What came, as the client would call it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value!r}"[:60]
        case str():
            return f'the string "{value if len(value) <= 40 else value[:37] + "..."}"'
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
