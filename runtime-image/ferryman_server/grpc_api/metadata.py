"""A call's metadata as grpc's own servers show it: what the client said, without what belongs to the protocol."""

import base64
import binascii

from ferryman_server.http2.fields import Fields

_OF_THE_PROTOCOL = frozenset({b"te", b"content-type", b"content-length"})


def of(fields: Fields) -> dict[str, str | bytes]:
    """By name; the values of `-bin` are bytes (grpc/grpc, doc/PROTOCOL-HTTP2.md)."""
    return {
        name.decode("latin-1"): _bytes(value) if name.endswith(b"-bin") else value.decode("latin-1")
        for name, value in fields.items()
        if not name.startswith((b":", b"grpc-")) and name not in _OF_THE_PROTOCOL
    }


def _bytes(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return value
