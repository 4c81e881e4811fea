"""The proxy's own way to the real apiserver: as the operator, over connections that are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from campaign.api import tls

Body = dict[str, Any]

NOT_PASSED_ON = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
        *("authorization", "host", "content-length", "accept-encoding", "content-encoding", "date"),
    }
)
"""Headers of one hop, those that the next hop makes itself, and the operator's own proof of who it is."""

NO_ANSWER = (aiohttp.ClientError, OSError)


class Upstream:
    """Requests to the apiserver that a kubeconfig with a client certificate leads to."""

    def __init__(self, kubeconfig: Path) -> None:
        self._server, context = tls(kubeconfig)
        self._session = aiohttp.ClientSession(
            # the apiserver drops a connection that was idle for 90 seconds; ours are given up before
            connector=aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> aiohttp.ClientResponse:
        """Pass a request on."""
        url = URL(self._server + path, encoded=True)
        return await self._session.request(method, url, headers=passed_on(headers), data=body or None)

    async def get(self, path: str) -> Body | None:
        """Read what lies at a path; nothing if it is not there, or not for the operator to see."""
        try:
            async with self._session.get(URL(self._server + path, encoded=True)) as response:
                text = await response.read()
        except NO_ANSWER:
            return None
        return json.loads(text) if response.status == 200 else None

    async def revision(self, collection: str) -> int:
        """Return the store's newest revision."""
        found = await self.get(f"{collection}?limit=1")
        return int(found["metadata"]["resourceVersion"]) if found else 0

    async def close(self) -> None:
        """Give up all connections."""
        await self._session.close()


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that go from one side to the other."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}
