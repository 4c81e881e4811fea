"""What one answer of a registry may cost, so many bytes and seconds and no more; and to whom which account is shown.

MLflow's client reads an answer whole, however long it is, and a timeout of its own counts from one byte to the next.
A registry that answers with gigabytes, or a byte a second, would take the operator's memory or its threads.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import TYPE_CHECKING, Any

import requests
from mlflow.utils import request_utils
from urllib3 import connection

from ferryman.registry import client

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_BYTES = 4 * 1024 * 1024
"""Far more than any answer about one version."""
PIECE = 64 * 1024


class _InTime(io.RawIOBase):
    """What a server sends, from its first byte to its last within the time that a socket may wait for one."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self._socket = connected
        self._read: io.RawIOBase = connected.makefile("rb", buffering=0)
        self._timeout = connected.gettimeout()
        self._end = time.monotonic() + self._timeout if self._timeout is not None else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._end is None:
            return self._read.readinto(buffer)
        try:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            return self._read.readinto(buffer)
        except TimeoutError:
            raise requests.ConnectionError(f"an answer that takes more than {self._timeout:g} s") from None

    def close(self) -> None:
        self._read.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose first line and headers count, too: they can come a byte a second as well."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_InTime(sock))


class _Http(connection.HTTPConnection):
    response_class = _Answer


class _Https(connection.HTTPSConnection):
    response_class = _Answer


CONNECTIONS = {"http": _Http, "https": _Https}


class Bounded(request_utils.TCPKeepAliveHTTPAdapter):  # type: ignore[misc]
    """MLflow's transport, but for answers that have no end, and for servers that get an account of their own."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the connections to a server, each of which reads its answers in time."""
        pool = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = CONNECTIONS[pool.scheme]
        return pool

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request and read its answer, or raise a ConnectionError that says what is wrong with it."""
        other = client.token(request.url or "")
        if other is not None:  # MLflow shows the account of the installation's own server to all
            request.headers.pop("Authorization", None)
            if other:
                request.headers["Authorization"] = f"Bearer {other}"
        response: requests.Response = super().send(request, *args, **options)
        read = bytearray()
        try:
            while piece := response.raw.read1(PIECE, decode_content=True):
                read += piece
                if len(read) > MOST_BYTES:
                    raise requests.ConnectionError(f"an answer of more than {MOST_BYTES >> 20} MiB")
        except BaseException:
            response.close()  # the rest of it is not waited for
            raise
        response._content = bytes(read)  # requests has no other way to be given what was read
        response._content_consumed = True
        return response


def install() -> None:
    """Let MLflow's client send by it from now on: it has no seam for that but the name."""
    if request_utils.TCPKeepAliveHTTPAdapter is not Bounded:
        request_utils.TCPKeepAliveHTTPAdapter = Bounded
        request_utils._cached_get_request_session.cache_clear()  # those that were made before it
