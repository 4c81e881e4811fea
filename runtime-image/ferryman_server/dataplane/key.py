"""What makes two questions one: the model's identity and the rows as it sees them, whatever protocol brought them.

Rows are compared by their bytes. So 0.0 and -0.0 are two questions, and NaNs with other bits are others: some models
tell them apart, and being asked twice costs a prediction where a wrong answer would cost trust. Objects (text,
columns with nulls) are compared by value and type. The order of the rows counts: the question is the request.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from ferryman_server.dataplane.rows import Array, Rows

PLAIN = frozenset({str, bytes, bool, int, float, type(None)})
"""The only objects in arrays whose value is all there is to them."""
NUMBERS = frozenset("biufcmM")
"""NumPy's kinds whose bytes are their value."""
_SIZE = 20
_MOST = 512 * 1024
"""Bytes of a question: hashing more would hold the event loop for longer than a millisecond."""

_pack = msgspec.msgpack.Encoder(order="sorted").encode


class Keys:
    """Names the questions of one model."""

    def __init__(self, identity: Iterable[str]) -> None:
        self._begun = hashlib.blake2b(repr(tuple(identity)).encode(), digest_size=_SIZE)

    def of(self, rows: Rows) -> bytes | None:
        """The question's name; None for one that has none: too large, or with objects that only the model knows."""
        if sum(array.nbytes for array in rows.arrays) > _MOST:
            return None
        digest = self._begun.copy()
        # The shapes say how many bytes follow, so that no two questions have the same ones.
        shapes = [(array.dtype.str, array.shape) for array in rows.arrays]
        digest.update(repr((rows.names, rows.signature, shapes)).encode())
        for array in rows.arrays:
            data = array.tobytes() if array.dtype.kind in NUMBERS else _objects(array)
            if data is None:
                return None
            digest.update(data)
        if rows.params:
            data = _packed(rows.params)
            if data is None:
                return None
            digest.update(data)
        return digest.digest()


def _objects(array: Array) -> bytes | None:
    if array.dtype.kind != "O":
        return None
    values = array.ravel().tolist()
    if not PLAIN.issuperset(map(type, values)):
        return None
    return _packed(values)


def _packed(values: Any) -> bytes | None:
    try:
        packed = _pack(values)
    except (OverflowError, ValueError):  # a whole number beyond 64 bits, half of a surrogate pair
        return None
    return packed if len(packed) <= _MOST else None
