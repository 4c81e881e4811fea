"""One request and its answer on a connection."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ferryman_server.http2.fields import Fields

if TYPE_CHECKING:
    from ferryman_server.http2.session import Session

_MOST_DIGITS = 20


class Stream:
    """A request as far as it has come; whole when it is handed over."""

    __slots__ = (
        "body",
        "fields",
        "gone",
        "left",
        "number",
        "parts",
        "rest",
        "session",
        "trailers",
        "waited",
        "whole",
        "window",
    )

    def __init__(self, session: "Session", number: int, fields: Fields, window: int) -> None:
        self.session = session
        self.number = number
        self.fields = fields
        self.body = b""  # once it is whole
        self.parts = bytearray()  # until then
        self.whole = False
        self.window = window  # how much of an answer the client takes now
        self.rest = memoryview(b"")  # what it did not take yet
        self.trailers = b""
        self.waited = 0  # looks of the connection's for which the client has done nothing about it
        self.gone: Callable[[], None] | None = None  # who is told when the client gives up
        declared = fields.get(b"content-length", b"")
        # Bytes of the body that are still to come. A number without end is none: Python refuses to read it.
        self.left = int(declared) if declared.isdigit() and len(declared) < _MOST_DIGITS else -1

    @property
    def alone(self) -> bool:
        """Whether its client asks for nothing else meanwhile."""
        return len(self.session.streams) == 1

    def answer(self, head: bytes, body: bytes, trailers: bytes) -> None:
        """Answer with two blocks of fields and a body between them; once, and not after the client gave up."""
        self.gone = None
        self.session.answer(self, head, body, trailers)

    def refuse(self, head: bytes) -> None:
        """Answer with one block of fields."""
        self.gone = None
        self.session.refuse(self, head)
