"""The campaign's own way to the apiserver: a cluster admin's requests, asynchronous, JSON in and out."""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from ferryman.cluster.kinds import Kind

Body = dict[str, Any]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(Exception):  # noqa: N818  that is what it was
    """The apiserver answered with an error."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code = code


def tls(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """Return where a kubeconfig of ours leads, and the certificate that it shows there."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    return cluster["server"], context


def _unheard() -> None:
    """Tell nobody."""


class Api:
    """A session, which has to be closed."""

    def __init__(self, kubeconfig: Path) -> None:
        self._url, context = tls(kubeconfig)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        self._wrote: Callable[[], None] = _unheard

    def heard_by(self, wrote: Callable[[], None]) -> Api:
        """Return the same session for somebody who wants to be told of every write that it makes."""
        theirs = copy.copy(self)
        theirs._wrote = wrote
        return theirs

    async def close(self) -> None:
        await self._session.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        """Return an object; none if there is none."""
        try:
            return await self.call("GET", kind.path(namespace, name))
        except Refused as error:
            if error.code == 404:
                return None
            raise

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> list[Body]:
        query = {"labelSelector": selector} if selector else {}
        answer = await self.call("GET", kind.path(namespace), query=query)
        return [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in answer["items"]]

    async def create(self, kind: Kind, body: Body) -> Body:
        return await self.call("POST", kind.path(body["metadata"].get("namespace")), body)

    async def apply(self, kind: Kind, body: Body, manager: str = "user") -> Body:
        """Apply an object as `kubectl apply --server-side` does."""
        path = kind.path(body["metadata"].get("namespace"), body["metadata"]["name"])
        return await self.call("PATCH", path, body, {"fieldManager": manager, "force": "true"}, APPLY)

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, change: Body, subresource: str | None = None
    ) -> Body:
        return await self.call("PATCH", kind.path(namespace, name, subresource), change, content_type=MERGE)

    async def delete(self, kind: Kind, namespace: str | None, name: str, policy: str = "Background") -> None:
        """Delete an object, if it is there."""
        try:
            await self.call("DELETE", kind.path(namespace, name), {"propagationPolicy": policy})
        except Refused as error:
            if error.code != 404:
                raise

    async def call(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Body:
        async with self._session.request(
            method,
            self._url + path,
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Accept": "application/json", "Content-Type": content_type},
            timeout=aiohttp.ClientTimeout(total=30),
        ) as response:
            text = await response.read()
            if response.status >= 400:
                raise Refused(response.status, text.decode(errors="replace")[:600])
            if method != "GET":
                self._wrote()
            answer: Body = json.loads(text)
            return answer

    async def events(self, kind: Kind, since: str) -> AsyncIterator[Body]:
        """Yield the watch events of a kind after a version, in the whole cluster, until the apiserver ends it."""
        async with self._session.get(
            self._url + kind.path(None),
            params={"watch": "true", "resourceVersion": since},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        ) as response:
            if response.status >= 400:
                raise Refused(response.status, await response.text())
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
