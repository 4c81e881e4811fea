"""What went wrong, as gRPC says it: a status and the sentence, and the HTTP code that the metrics count it under."""

import uuid
from dataclasses import dataclass
from typing import Any

import grpc

from ferryman_server import log
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError


class NoSuchModelError(Exception):
    """Another model, or another version, than the one that is served."""


class NotYetError(Exception):
    """The model is not loaded, or not warm."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends that has no answer."""

    code: Any
    http: int
    message: str
    trailers: tuple[tuple[str, str], ...] = ()


_EXPECTED: dict[type[Exception], tuple[Any, int]] = {
    InvalidInputError: (grpc.StatusCode.INVALID_ARGUMENT, 400),
    NoSuchModelError: (grpc.StatusCode.NOT_FOUND, 404),
    NotYetError: (grpc.StatusCode.UNAVAILABLE, 503),
    OverloadedError: (grpc.StatusCode.RESOURCE_EXHAUSTED, 503),
}


def of(error: Exception, request_id: str) -> Status:
    """What the client is told. For what is ours or the model's to mend: an id, and the cause in the log."""
    expected = _EXPECTED.get(type(error))
    if expected:
        code, http = expected
        return Status(code, http, str(error))
    cause = (error.__cause__ or error) if isinstance(error, ModelFailedError) else error
    request_id = request_id or uuid.uuid4().hex
    said = " ".join(str(cause).split())[:500]
    log.line(f"Request {request_id} failed: {type(cause).__name__}: {said}")
    told = f"The prediction failed inside the server; its log has the cause under request id {request_id}."
    return Status(grpc.StatusCode.INTERNAL, 500, told, (("x-request-id", request_id),))
