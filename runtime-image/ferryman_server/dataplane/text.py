"""What a value of kind BYTES is to a model, and how bytes are written where a protocol has text only.

JSON has no bytes. TensorFlow Serving writes them as `{"b64": "..."}`, MLflow as Base64 in a column that its signature
calls binary; the binary forms of the Open Inference Protocol have them as they are.
"""

import base64
import binascii
import enum
from typing import Any

_KEY = "b64"


class Text(enum.Enum):
    """What a model takes."""

    UTF8 = enum.auto()
    """Text: bytes must be UTF-8."""
    BYTES = enum.auto()
    """Bytes, and text as its UTF-8, as TensorFlow does."""
    BASE64 = enum.auto()
    """Bytes, which text is the Base64 of, as MLflow does."""


def wrapped(value: Any) -> bool:
    """Whether a value of JSON is bytes in TensorFlow Serving's words."""
    return isinstance(value, dict) and value.keys() == {_KEY} and isinstance(value[_KEY], str)


def read(value: Any, text: Text) -> str | bytes:
    """A value as the model takes it; `TypeError` for what is no text, `ValueError` for text that is wrong."""
    given = _decoded(value[_KEY]) if wrapped(value) else value
    match given:
        case str():
            if text is Text.BASE64:
                return _decoded(given)
            return given if text is Text.UTF8 else given.encode()
        case bytes():
            return _plain(given) if text is Text.UTF8 else given
        case _:
            raise TypeError(value)


def write(value: Any, *, always: bool = False) -> Any:
    """A value of an answer as JSON has it: bytes as text where they are UTF-8 (unless `always` wrapped)."""
    if not isinstance(value, bytes):
        return value
    if not always:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {_KEY: base64.b64encode(value).decode()}


def _decoded(given: str) -> bytes:
    """The bytes; MLflow's own client breaks the lines of the long ones."""
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not Base64") from None


def _plain(given: bytes) -> str:
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
