"""Header fields: HPACK (RFC 7541) in both directions, and what HTTP/2 asks of a request's fields.

Clients say the same thing again and again, in blocks of a few bytes that point into a table both sides keep. A block
that left the table as it was means the same the next time, so its meaning is kept until the table changes.
"""

from hpack import Decoder, HPACKError
from hpack.table import HeaderTable

from ferryman_server.http2.frames import Code, ConnectionFaultError, StreamFaultError

Fields = dict[bytes, bytes]

MOST_BYTES = 32 * 1024
_MOST_KEPT = 64
_PSEUDO = frozenset({b":method", b":path", b":scheme", b":authority"})
_NEEDED = frozenset({b":method", b":path", b":scheme"})
_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})


class _Table(HeaderTable):
    """Counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)


class Reader:
    """Reads the blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._decoder = Decoder(MOST_BYTES)
        self._table = self._decoder.header_table = _Table()
        self._kept: dict[bytes, Fields] = {}

    def request(self, stream: int, block: bytes) -> Fields:
        """The fields of a request; the caller must not change them."""
        found = self._kept.get(block)
        if found is not None:
            return found
        before = self._table.changes, self._table.maxsize
        given = self._read(block)
        moved = (self._table.changes, self._table.maxsize) != before
        if moved:  # also by a request that is refused
            self._kept.clear()
        fields = _checked(stream, given)
        if not moved and len(self._kept) < _MOST_KEPT:
            self._kept[block] = fields
        return fields

    def trailers(self, block: bytes) -> None:
        """Read what comes after a request's body, for the table's sake."""
        self._read(block)
        self._kept.clear()

    def _read(self, block: bytes) -> list[tuple[bytes, bytes]]:
        try:
            return [(name, value) for name, value in self._decoder.decode(block, raw=True)]
        except (HPACKError, IndexError) as error:
            raise ConnectionFaultError(Code.COMPRESSION_ERROR, "header fields that cannot be read") from error


def _checked(stream: int, given: list[tuple[bytes, bytes]]) -> Fields:
    fields: Fields = {}
    regular = False
    for name, value in given:
        pseudo = name[:1] == b":"
        odd = (regular or name not in _PSEUDO or name in fields) if pseudo else name in _OF_CONNECTIONS
        if odd or not name or name != name.lower() or (name == b"te" and value != b"trailers"):
            raise StreamFaultError(stream, Code.PROTOCOL_ERROR)
        regular = regular or not pseudo
        fields[name] = fields[name] + b"," + value if name in fields else value
    if not fields.keys() >= _NEEDED or not fields[b":path"]:
        raise StreamFaultError(stream, Code.PROTOCOL_ERROR)
    return fields


def write(*fields: tuple[bytes, bytes]) -> bytes:
    """A block that leaves the other side's table as it is."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 127:
        return bytes((size,)) + value
    rest, head = size - 127, bytearray((127,))
    while rest >= 128:
        head.append(rest % 128 + 128)
        rest //= 128
    head.append(rest)
    return bytes(head) + value
