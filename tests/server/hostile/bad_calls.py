"""Bad calls of gRPC, one a line: what no channel of grpcio can send; what one can is in grpc/test_bad_input.py."""

import gzip
from dataclasses import dataclass, replace

from server.hostile import nearly
from server.hostile.bad_requests import tensor


@dataclass(frozen=True, slots=True)
class BadCall:
    """One call that is refused: its framed message and headers, the status of gRPC and a word of its sentence."""

    wrong: str
    asked: nearly.Asked
    status: int
    word: str

    def __str__(self) -> str:
        return self.wrong


INVALID, TOO_LARGE, UNKNOWN, HTTP = 3, 8, 12, -2
MESSAGE = nearly.message({"inputs": [tensor()]}).SerializeToString()
GZIP = {"grpc_encoding": "gzip"}


def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 9)


CALLS = (
    BadCall("nothing at all", replace(nearly.called(b""), body=b""), INVALID, "one message"),
    BadCall("half a head", replace(nearly.called(b""), body=b"\0\0\0"), INVALID, "one message"),
    BadCall("a length beyond the body", nearly.called(MESSAGE, length=len(MESSAGE) + 1), INVALID, "one message"),
    BadCall("a length within the body", nearly.called(MESSAGE, length=3), INVALID, "one message"),
    BadCall("four gigabytes that are not there", nearly.called(MESSAGE, length=2**32 - 1), INVALID, "one message"),
    BadCall(
        "two messages", nearly.called(MESSAGE + nearly.called(MESSAGE).body, length=len(MESSAGE)), INVALID, "one"
    ),
    BadCall("compressed, and it does not say how", nearly.called(MESSAGE, 1), UNKNOWN, "known are gzip"),
    BadCall("compressed in another way", nearly.called(MESSAGE, 1, grpc_encoding="br"), UNKNOWN, "known are gzip"),
    BadCall("compressed, and it is not", nearly.called(MESSAGE, 1, None, **GZIP), INVALID, "cannot be read"),
    BadCall(
        "compressed, and cut short", nearly.called(_zipped(MESSAGE)[:-9], 1, None, **GZIP), INVALID, "cannot be read"
    ),
    BadCall(
        "a megabyte more than there may be", nearly.called(_zipped(bytes(65 << 20)), 1, None, **GZIP), TOO_LARGE, ""
    ),
    BadCall(
        "a megabyte of nothing, compressed", nearly.called(_zipped(bytes(1 << 20)), 1, None, **GZIP), INVALID, ""
    ),
    BadCall("a field in place of a message", nearly.called(b"\x0a" + b"\xff" * 9), INVALID, "not a whole"),
    BadCall("groups in groups", nearly.called(b"\x0b" * 10_000), INVALID, "not a whole"),
    BadCall("JSON", nearly.called(b"{}", content_type="application/json"), INVALID, "application/grpc"),
    BadCall(
        "another call",
        replace(nearly.called(MESSAGE), path="/inference.GRPCInferenceService/Load"),
        UNKNOWN,
        "not here",
    ),
    BadCall("another service", replace(nearly.called(MESSAGE), path="/"), UNKNOWN, "not here"),
)
