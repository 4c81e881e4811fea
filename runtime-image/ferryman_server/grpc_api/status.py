"""What went wrong, as gRPC says it: a status and the sentence, and the HTTP code that the metrics count it under."""

import enum
import uuid
from dataclasses import dataclass

from ferryman_server import log
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError, TooManyRowsError
from ferryman_server.dataplane.guest import TurnedDownError


class Code(enum.IntEnum):
    """gRPC's statuses, as far as they are given here (grpc/grpc, doc/statuscodes.md)."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class NoSuchModelError(Exception):
    """Another model, or another version, than the one that is served."""


class NotYetError(Exception):
    """The model is not loaded, or not warm."""


class UnknownEncodingError(Exception):
    """A message is compressed in a way that is not known here."""


class TooLargeError(Exception):
    """A message has more bytes than it may have."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends that has no answer."""

    code: Code
    http: int
    message: str
    trailers: tuple[tuple[str, str], ...] = ()


_EXPECTED: dict[type[Exception], tuple[Code, int]] = {
    InvalidInputError: (Code.INVALID_ARGUMENT, 400),
    NoSuchModelError: (Code.NOT_FOUND, 404),
    TooLargeError: (Code.RESOURCE_EXHAUSTED, 413),
    TooManyRowsError: (Code.RESOURCE_EXHAUSTED, 413),
    UnknownEncodingError: (Code.UNIMPLEMENTED, 415),
    NotYetError: (Code.UNAVAILABLE, 503),
    OverloadedError: (Code.RESOURCE_EXHAUSTED, 503),
}


_OF_HTTP = {
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    413: Code.RESOURCE_EXHAUSTED,
    429: Code.RESOURCE_EXHAUSTED,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
"""What a model's own statuses are here; any other below 500 is the client's to mend, any other above its own."""


def of(error: Exception, request_id: str) -> Status:
    """What the client is told. For what is ours or the model's to mend: an id, and the cause in the log."""
    expected = _EXPECTED.get(type(error))
    if expected:
        code, http = expected
        return Status(code, http, str(error))
    if isinstance(error, TurnedDownError):
        other = Code.INVALID_ARGUMENT if error.status < 500 else Code.INTERNAL
        return Status(_OF_HTTP.get(error.status, other), error.status, str(error))
    cause = (error.__cause__ or error) if isinstance(error, ModelFailedError) else error
    request_id = request_id or uuid.uuid4().hex
    said = " ".join(str(cause).split())[:500]
    log.line(f"Request {request_id} failed: {type(cause).__name__}: {said}")
    told = f"The prediction failed inside the server; its log has the cause under request id {request_id}."
    return Status(Code.INTERNAL, 500, told, (("x-request-id", request_id),))
