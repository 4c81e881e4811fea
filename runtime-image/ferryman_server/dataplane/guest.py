"""A model that reads requests for itself, in the words of the framework that it was written for.

It is asked with the bytes and the headers as they came, and answers with bytes. So it gets what the schema knows
nothing of, and says itself what it does not take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_REFUSALS = range(400, 600)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `protocol` as the metrics call it; headers by their names in lower case."""

    protocol: str
    body: bytes
    headers: Mapping[str, str | bytes]
    version: str  # of the model that is served, for answers that tell none


@dataclass(frozen=True, slots=True)
class Told:
    """Its answer."""

    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class TurnedDownError(Exception):
    """The model refuses a request with a status of its own choice, one that HTTP has for refusals."""

    def __init__(self, status: int, message: str) -> None:
        if status not in _REFUSALS:
            raise RuntimeError(f"it refuses with the status {status}, which is no refusal of HTTP's: {message}")
        super().__init__(message)
        self.status = status


class Guest(Protocol):
    """What the model's author wrote, behind one method that is called in the model's own thread."""

    def answer(self, asked: Asked) -> Told:
        """The whole way: read, predict, write."""
