"""A request and a response, as the protocols see them; and the bodies they share."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"


class Request(NamedTuple):
    """What came, with its body read."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters; JSON when nobody said."""
        given = self.headers.get(b"content-type", b"").decode("latin-1")
        return given.partition(";")[0].strip().lower()


class Response(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class RefusedError(Exception):
    """A request that HTTP itself refuses: a status, a sentence, perhaps a header that helps."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def _plain(value: Any) -> Any:
    """What msgspec does not know: NumPy's scalars, and whatever a model put into an object array."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain)
encode = _encoder.encode
_decoder = msgspec.json.Decoder()


def answer(value: Any) -> Response:
    """200 with JSON; NaN becomes null, because JSON has no other word for it."""
    return Response(200, encode(value))


def error(status: int, message: str, *headers: tuple[bytes, bytes], **more: str) -> Response:
    """A refusal in the form all protocols here share."""
    return Response(status, encode({"error": message, **more}), headers=headers)


def decode_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, or a refusal that says where it stops being one."""
    if request.media_type not in {"", "application/json", "application/x-www-form-urlencoded"}:
        raise RefusedError(415, f'Content type "{request.media_type[:80]}" is not taken here; send application/json.')
    return object_in(request.body)


def object_in(body: bytes) -> dict[str, Any]:
    """These bytes as a JSON object, whatever they were called."""
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        said = str(problem) or "it is nested too deeply"
        raise RefusedError(400, f"The body is not valid JSON: {said}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, f"The body must be a JSON object, got {type(value).__name__}.")
    return value
