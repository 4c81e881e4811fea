"""Compressed bodies, unpacked no further than they may be."""

import zlib

WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""The codings that are known, and zlib's word for each."""
_HARMLESS, _SWELLS = 1 << 20, 100
"""What unpacks to more than a megabyte may be a hundred times as long as it came: numbers hardly shrink so much, and
what is unpacked here keeps every other request waiting."""


class UnreadableError(Exception):
    """It is not what it is said to be, or not whole."""


class TooLongError(Exception):
    """It has more than `most` bytes when it is unpacked."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} bytes")
        self.most = most


def inflated(packed: bytes, coding: bytes, most: int) -> bytes:
    """The bytes, of a coding that is known."""
    inflater = zlib.decompressobj(WINDOW_BITS[coding])
    most = min(most, max(_HARMLESS, _SWELLS * len(packed)))
    try:
        whole = inflater.decompress(packed, most)
    except zlib.error:
        raise UnreadableError from None
    if inflater.unconsumed_tail:
        raise TooLongError(most)
    if not inflater.eof or inflater.unused_data:
        raise UnreadableError
    return whole
