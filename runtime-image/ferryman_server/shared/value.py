"""An answer as bytes that another replica can read: MessagePack with a version, the question's name and an end.

The name is checked when it is read: a mix-up on the way must not become somebody's answer. What is not exactly such a
value is none. Reading runs no code, whoever wrote it.
"""

import math
from typing import Any

import msgspec
import numpy as np

from ferryman_server.dataplane import key as keys
from ferryman_server.dataplane.rows import Answer, Array

MOST = 1024 * 1024
"""Bytes that are worth sending."""
_VERSION = 1
_KINDS = keys.NUMBERS | frozenset("US")
_OBJECTS = np.dtype(object).str


class _Output(msgspec.Struct, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | list[Any]


class _Value(msgspec.Struct, array_like=True):
    version: int
    key: bytes
    until: float
    outputs: list[_Output]


_pack = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(_Value).decode


def pack(key: bytes, answer: Answer, until: float) -> bytes | None:
    """None where it is too large, or has values that MessagePack cannot hold."""
    if sum(array.nbytes for array in answer.values()) > MOST:
        return None
    outputs = [_Output(name, array.dtype.str, array.shape, _data(array)) for name, array in answer.items()]
    try:
        packed = _pack(_Value(_VERSION, key, until, outputs))
    except (OverflowError, ValueError):  # a whole number beyond 64 bits, half of a surrogate pair
        return None
    return packed if len(packed) <= MOST else None


def unpack(key: bytes, packed: bytes) -> tuple[Answer, float] | None:
    """The answer, and the time until which it holds."""
    try:
        value = _read(packed)
        if value.version != _VERSION or value.key != key or not math.isfinite(value.until):
            return None
        return {output.name: _array(output) for output in value.outputs}, value.until
    except (msgspec.DecodeError, TypeError, ValueError):
        return None


def _data(array: Array) -> bytes | list[Any]:
    data: bytes | list[Any] = array.ravel().tolist() if array.dtype.kind == "O" else array.tobytes()
    return data


def _array(output: _Output) -> Array:
    if min(output.shape, default=0) < 0:
        raise ValueError(output.shape)
    if isinstance(output.data, bytes):
        dtype = np.dtype(output.dtype)
        if dtype.kind not in _KINDS:
            raise ValueError(output.dtype)
        found: Array = np.frombuffer(output.data, dtype).reshape(output.shape)
        return found
    if output.dtype != _OBJECTS or not keys.PLAIN.issuperset(map(type, output.data)):
        raise ValueError(output.dtype)
    array: Array = np.array(output.data, dtype=object).reshape(output.shape)
    array.flags.writeable = False
    return array
