"""A body that its client compressed: what it is when it is unpacked, or why it is not."""

from ferryman_server import inflation
from ferryman_server.rest.message import RefusedError

FIELD = b"content-encoding"
_KNOWN = (b"accept-encoding", b"gzip, deflate")


def unpacked(headers: dict[bytes, bytes], body: bytes, most: int) -> tuple[dict[bytes, bytes], bytes]:
    """The headers and the body as if nobody had compressed it; `RefusedError` if that is not to be."""
    coding = headers[FIELD].strip().lower()
    kept = {name: value for name, value in headers.items() if name not in {FIELD, b"content-length"}}
    if coding in {b"", b"identity"}:
        return kept, body
    if coding not in inflation.WINDOW_BITS:
        told = f'The body is compressed with "{coding.decode("latin-1")[:40]}"; known are gzip and deflate.'
        raise RefusedError(415, told, _KNOWN)
    try:
        return kept, inflation.inflated(body, coding, most)
    except inflation.UnreadableError:
        raise RefusedError(400, f"The body is compressed with {coding.decode()}, and cannot be read.") from None
    except inflation.TooLongError as error:
        told = (
            f"The body may have {error.most} bytes when it is unpacked, and it has more; send fewer rows at a time."
        )
        raise RefusedError(413, told) from None
