"""Tensors as bytes, the protocol's binary form: little-endian values in row order, text with its length before it.

Numbers cost one look at the size and no copy. A size that does not match its shape is told with both.
"""

import math

import msgspec
import numpy as np

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array
from ferryman_server.oip.tensors import Sent

_LENGTH = 4  # bytes before each text


def read(name: str, kind: Kind, shape: tuple[int, ...], data: bytes | memoryview) -> Sent:
    """The tensor in these bytes, all of them."""
    if kind is Kind.BYTES:
        return Sent(name, kind, shape, _texts(name, math.prod(shape), data))
    dtype = kind.dtype
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise InvalidInputError(
            f'Input "{name}" must have {wanted} bytes for shape {list(shape)} of {kind.value}, got {len(data)}.'
        )
    if kind is Kind.BOOL:  # any byte but zero is true; NumPy would keep the byte
        return Sent(name, kind, shape, (np.frombuffer(data, dtype=np.uint8) != 0).reshape(shape))
    return Sent(name, kind, shape, np.frombuffer(data, dtype=dtype).reshape(shape))


def _texts(name: str, count: int, data: bytes | memoryview) -> list[bytes]:
    found: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + _LENGTH
        size = int.from_bytes(data[at:start], "little")
        at = start + size
        if start > end or at > end:
            raise InvalidInputError(
                f'Input "{name}", element {len(found)}, is cut short: it must have 4 bytes of length and then {size} '
                f"bytes, and {max(0, end - start)} are left."
            )
        if len(found) == count:  # a megabyte of zeros is a quarter of a million empty texts
            raise InvalidInputError(f'Input "{name}" must have {count} texts for its shape, and it has more.')
        found.append(bytes(data[start:at]))
    if len(found) != count:
        raise InvalidInputError(f'Input "{name}" must have {count} texts for its shape, got {len(found)}.')
    return found


def write(array: Array) -> bytes:
    """An answer's values as bytes."""
    if kinds.of(array) is not Kind.BYTES:
        return array.tobytes()
    return b"".join(piece for part in parts(array) for piece in (len(part).to_bytes(_LENGTH, "little"), part))


def parts(array: Array) -> list[bytes]:
    """An answer's values one by one: bytes as they are, text as UTF-8."""
    return [one if isinstance(one, bytes) else _text(one).encode() for one in array.reshape(-1).tolist()]


def texts(array: Array) -> list[str]:
    """An answer's values as text: its own, or JSON for whatever else a model put there."""
    return [_text(one) for one in array.reshape(-1).tolist()]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
