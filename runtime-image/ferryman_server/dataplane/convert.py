"""Lists of Python values to NumPy arrays, strictly: nothing is guessed, and the wrong value is named.

NumPy alone would turn "1.5" into 1.5 and true into 1.0. The types of the values are collected at C
speed first, so a good request pays one pass; only a bad one is walked again to find its culprit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ferryman_server.dataplane import text as texts
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array
from ferryman_server.dataplane.text import Text

_NUMBERS = frozenset({int, float})
_WHOLE = frozenset({int})
_NULLABLE = frozenset({int, float, type(None)})
_TEXT = frozenset({str})
_TRUTH = frozenset({bool})
_NARROW = frozenset({Kind.FP16, Kind.FP32})
_HOLDERS = frozenset({list, tuple, dict})

_MOST_TEXT = 40  # characters of a client's own words in a sentence
_MOST_SHOWN = 8

Where = Callable[[int], str]


def array(
    values: Sequence[Any], kind: Kind, where: Where, *, nullable: bool = False, text: Text = Text.UTF8
) -> Array:
    """Values of one kind; `where` says how a client would call the value at an index, `text` what BYTES are."""
    types = set(map(type, values))
    if kind.is_float:
        good = types <= _NULLABLE
    elif kind.is_integer:
        good = types <= _WHOLE or (types <= _NUMBERS and all(map(_is_whole, values)))
    else:
        good = types <= (_TRUTH if kind is Kind.BOOL else _TEXT)
    if not good and nullable and type(None) in types:
        return _with_nulls(values, kind, where, text)
    if kind is Kind.BYTES and (text is not Text.UTF8 or not good):
        return _texts(values, text, where)
    if not good:
        raise _culprit(values, kind, where)
    try:
        if kind not in _NARROW:
            return np.array(values, dtype=kind.dtype)
        with np.errstate(over="raise"):  # else they would be infinite, without a word
            return np.array(values, dtype=kind.dtype)
    except (OverflowError, FloatingPointError):
        raise _too_large(values, kind, where) from None


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _texts(values: Sequence[Any], text: Text, where: Where) -> Array:
    found = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        try:
            found[at] = texts.read(value, text)
        except TypeError:
            raise InvalidInputError(f"{where(at)} must be {Kind.BYTES.noun}, got {describe(value)}.") from None
        except ValueError as problem:
            raise InvalidInputError(f"{where(at)} {problem}.") from None
    return found


def _with_nulls(values: Sequence[Any], kind: Kind, where: Where, text: Text) -> Array:
    """A column whose absent values have no number to stand for them: held as objects, None where absent."""
    places = [at for at, value in enumerate(values) if value is not None]
    found = array([values[at] for at in places], kind, lambda at: where(places[at]), text=text)
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
    return isinstance(value, int | float) and _is_whole(value)


def _too_large(values: Sequence[Any], kind: Kind, where: Where) -> InvalidInputError:
    for at, value in enumerate(values):
        try:
            with np.errstate(over="raise"):
                np.array(value, dtype=kind.dtype)
        except (OverflowError, FloatingPointError):
            return InvalidInputError(f"{where(at)} is {str(value)[:40]}, which does not fit {kind.value}.")
    raise AssertionError("a value overflowed together and none does alone")


def shown(value: Any) -> str:
    """What came, for a sentence: itself if it is small, else what it is. A list may be millions long, or deep."""
    match value:
        case str():
            return repr(cut(value))
        case int() | float() if not isinstance(value, bool):
            return repr(value)[:_MOST_TEXT]
        case list() | tuple() if len(value) <= _MOST_SHOWN and not _HOLDERS & set(map(type, value)):
            return f"[{', '.join(map(shown, value))}]"
        case _:
            return describe(value)


def cut(name: str) -> str:
    """A name or a text of the client's, no longer than a sentence bears."""
    return name if len(name) <= _MOST_TEXT else name[: _MOST_TEXT - 3] + "..."


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
            return f'the string "{cut(value)}"'
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
