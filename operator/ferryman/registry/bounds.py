"""What one answer of a registry may cost, so many bytes and seconds and no more; and to whom which account is shown.

MLflow's client reads an answer whole, however long it is, and a timeout of its own counts from one byte to the next.
A registry that answers with gigabytes, or a byte a second, would take the operator's memory or its threads.
"""

from __future__ import annotations

import time
from typing import Any

import requests
from mlflow.utils import request_utils

from ferryman.registry import client

MOST_BYTES = 4 * 1024 * 1024
"""Far more than any answer about one version."""
PIECE = 64 * 1024


class Bounded(request_utils.TCPKeepAliveHTTPAdapter):  # type: ignore[misc]
    """MLflow's transport, but for answers that have no end, and for servers that get an account of their own."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request and read its answer, or raise a ConnectionError that says what is wrong with it."""
        other = client.token(request.url or "")
        if other is not None:  # MLflow shows the account of the installation's own server to all
            request.headers.pop("Authorization", None)
            if other:
                request.headers["Authorization"] = f"Bearer {other}"
        timeout = options.get("timeout")
        response: requests.Response = super().send(request, *args, **options)
        deadline = time.monotonic() + timeout if isinstance(timeout, int | float) else None
        read = bytearray()
        try:
            while piece := response.raw.read1(PIECE, decode_content=True):
                read += piece
                if len(read) > MOST_BYTES:
                    raise requests.ConnectionError(f"an answer of more than {MOST_BYTES >> 20} MiB")
                if deadline is not None and time.monotonic() > deadline:
                    raise requests.ConnectionError(f"an answer that takes more than {timeout:g} s")
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
