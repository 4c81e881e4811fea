"""One sample as JSON: what was asked, as a digest, and what was said, as values while they are few."""

import hashlib
from typing import Any

import msgspec

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.guest import Told
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Answer, Array
from ferryman_server.oip import raw

_SIZE = 16
_HASHED = 1 << 20
"""Bytes of a body that count for its digest, besides its length: more would hold up the event loop."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def digest(body: bytes) -> str:
    """What was asked."""
    found = hashlib.blake2b(memoryview(body)[:_HASHED], digest_size=_SIZE)
    found.update(len(body).to_bytes(8, "little"))
    return found.hexdigest()


def said(answer: Answer | Told | None, most: int) -> dict[str, Any]:
    """The answer's digest, and the answer if it may take that many bytes; nothing where there is none."""
    match answer:
        case None:
            return {}
        case Told(body=body):
            told: dict[str, Any] = {"answer": digest(body)}
            if len(body) <= most:
                told["body"] = body.decode(errors="replace")
            return told
        case _:
            found = hashlib.blake2b(digest_size=_SIZE)
            for name, array in answer.items():
                found.update(repr((name, kinds.of(array).value, array.shape)).encode())
                found.update(_bytes(array)[:_HASHED])
            told = {"answer": found.hexdigest()}
            if sum(array.nbytes for array in answer.values()) <= most:
                told["outputs"] = [_output(name, array) for name, array in answer.items()]
            return told


def written(told: dict[str, Any]) -> bytes:
    """As it is kept, and read."""
    return _encode(told)


def _bytes(array: Array) -> memoryview:
    kind = kinds.of(array)
    return memoryview(_encode(raw.texts(array)) if kind is Kind.BYTES else array.tobytes())


def _output(name: str, array: Array) -> dict[str, Any]:
    kind = kinds.of(array)
    data = raw.texts(array) if kind is Kind.BYTES else array.reshape(-1).tolist()
    return {"name": name, "datatype": kind.value, "shape": list(array.shape), "data": data}
