"""An answer as it can be kept: a copy that nobody can change, and the memory that it takes."""

import sys

from ferryman_server.dataplane import key
from ferryman_server.dataplane.rows import Answer, Array

_ENTRY = 560
"""What an answer takes without its arrays: the key, the dictionaries' places, the objects between them."""
_ARRAY = 200
_KINDS = key.NUMBERS | frozenset("US")


def frozen(answer: Answer) -> Answer | None:
    """A copy of its own (a part of a batch would keep the whole); None where it holds objects that may change."""
    copies: Answer = {}
    for name, array in answer.items():
        if array.dtype.kind not in _KINDS and not _plain(array):
            return None
        copy = array.copy()
        copy.flags.writeable = False
        copies[name] = copy
    return copies


def size(answer: Answer) -> int:
    """Bytes of memory, rather too many than too few."""
    return _ENTRY + sum(_ARRAY + array.nbytes + _objects(array) for array in answer.values())


def _plain(array: Array) -> bool:
    return array.dtype.kind == "O" and key.PLAIN.issuperset(map(type, array.ravel().tolist()))


def _objects(array: Array) -> int:
    return sum(map(sys.getsizeof, array.ravel().tolist())) if array.dtype.kind == "O" else 0
