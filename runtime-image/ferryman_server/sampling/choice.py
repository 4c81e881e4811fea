"""Which requests are kept: those whose id says so, here and in every other server that was asked for the same share.

A mirrored request has the id of the live one. Envoy may change one digit of it on the way, the one in which it notes
what tracing is to do (envoy: source/extensions/request_id/uuid/config.cc), so that digit does not count.
"""

import hashlib

_SIZE = 8
_NOTED = 14
_UUID = 36


def key(request_id: bytes) -> bytes:
    """What two servers know a request by."""
    if len(request_id) == _UUID and request_id[8] == request_id[13] == ord("-"):
        request_id = request_id[:_NOTED] + request_id[_NOTED + 1 :]
    return hashlib.blake2b(request_id, digest_size=_SIZE).digest()


def below(percent: float) -> int:
    """The keys under this number are that share of all."""
    return round(percent / 100 * (1 << 8 * _SIZE))
