"""JSON in and out of the apiserver: the one door through which every read and write goes.

Reads carry no resourceVersion, so each is answered from the store and not from a cache that may lag. Writes go to one
object in one namespace. What goes wrong is translated here, once, into `errors`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio import client as kubernetes
from kubernetes.aio import config as kubeconfig

from ferryman.cluster import errors
from ferryman.cluster.kinds import Kind
from ferryman.cluster.rate import Rate
from ferryman.render import names

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)

PAGE = 100
"""How many objects of the whole cluster are read at once: a few MiB, for a node's status alone may have 50 KiB."""

SLIM_PAGE = 500
"""How many objects are read at once of which only the metadata are asked for."""

SLIM = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Body = dict[str, Any]

_ERRORS: dict[int, type[errors.ClusterError]] = {
    HTTPStatus.FORBIDDEN: errors.Forbidden,
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.CONFLICT: errors.Conflict,
    HTTPStatus.GONE: errors.Gone,
    HTTPStatus.UNPROCESSABLE_ENTITY: errors.Invalid,
    HTTPStatus.BAD_REQUEST: errors.Invalid,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errors.Invalid,
}


def _ignore(_verb: str, _kind: str) -> None:
    """Count nothing."""


class Client:
    """A connection to the apiserver."""

    def __init__(self, api: kubernetes.ApiClient, wrote: Callable[[str, str], None] = _ignore) -> None:
        self._api = api
        self._wrote = wrote
        self._rate = Rate()

    async def get(self, kind: Kind, namespace: str, name: str) -> Body:
        """Read one object."""
        return await self._request("get", kind, "GET", namespace, name)

    async def list(self, kind: Kind, namespace: str | None, selector: str = "", fields: str = "") -> list[Body]:
        """Read every object that both selectors pick, each with the kind that lists leave out."""
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        query = {name: value for name, value in chosen.items() if value}
        answer = await self._request("list", kind, "GET", namespace, query=query)
        return [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in answer.get("items", [])]

    async def pages(self, kind: Kind, fields: str = "") -> AsyncIterator[Body]:
        """Read the objects of the whole cluster that the field selector picks, holding one page of them at a time."""
        query = {"limit": str(PAGE), **({"fieldSelector": fields} if fields else {})}
        while True:
            answer = await self._request("list", kind, "GET", None, query=query)
            for item in answer.get("items", []):
                yield item
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    async def apply(self, kind: Kind, body: Body) -> Body:
        """Make an object as the body says, with our claim to each field in it, by server-side apply."""
        return await self._write(
            "apply",
            kind,
            "PATCH",
            body["metadata"]["namespace"],
            body["metadata"]["name"],
            body=body,
            query={"fieldManager": names.FIELD_MANAGER, "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int, seen: str | None = None) -> Body:
        """Set a number of pods as an autoscaler would; only on the version that was seen, if one is given."""
        precondition = {"metadata": {"resourceVersion": seen}} if seen is not None else {}
        return await self._write(
            "scale",
            kind,
            "PATCH",
            namespace,
            name,
            subresource="scale",
            body={**precondition, "spec": {"replicas": replicas}},
            query={"fieldManager": names.SCALE_MANAGER},
            content_type="application/merge-patch+json",
        )

    async def replace_status(self, kind: Kind, body: Body) -> Body:
        """Write the whole status of an object that is still as its resourceVersion says."""
        return await self._write(
            "status",
            kind,
            "PUT",
            body["metadata"]["namespace"],
            body["metadata"]["name"],
            subresource="status",
            body=body,
            query={"fieldManager": names.STATUS_MANAGER},
        )

    async def merge(self, kind: Kind, namespace: str, name: str, change: Body) -> Body:
        """Change some fields of an object; the change names the version that it is for."""
        return await self._write(
            "merge",
            kind,
            "PATCH",
            namespace,
            name,
            body=change,
            query={"fieldManager": names.FIELD_MANAGER},
            content_type="application/merge-patch+json",
        )

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str, seen: str | None = None) -> None:
        """Delete exactly the object that was seen, on the version that was seen, and let what it owns follow."""
        precondition = {"resourceVersion": seen} if seen is not None else {}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, **precondition},
            "propagationPolicy": "Background",
        }
        await self._write("delete", kind, "DELETE", namespace, name, body=options)

    async def create(self, kind: Kind, body: Body) -> Body:
        """Create an object that did not exist before."""
        query = {"fieldManager": names.FIELD_MANAGER}
        return await self._write("create", kind, "POST", body["metadata"]["namespace"], body=body, query=query)

    async def replace(self, kind: Kind, body: Body) -> Body:
        """Write a whole object that is still as its resourceVersion says."""
        metadata = body["metadata"]
        query = {"fieldManager": names.FIELD_MANAGER}
        return await self._write(
            "replace", kind, "PUT", metadata["namespace"], metadata["name"], body=body, query=query
        )

    async def metadata(self, kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Body]:
        """Read the metadata alone of every object that the selector picks, holding one page of them at a time."""
        query = {"limit": str(SLIM_PAGE), **({"labelSelector": selector} if selector else {})}
        while True:
            answer = await self._request("list", kind, "GET", namespace, query=query, accept=SLIM)
            for item in answer.get("items") or ():
                yield item["metadata"]
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    async def plurals(self, group: str, version: str) -> frozenset[str]:
        """Return the plurals that the apiserver serves of a group's version; none if it serves none."""
        kind = Kind("APIResourceList", group, version, "")
        try:
            answer = await self._exchange("discover", kind, "GET", f"/apis/{group}/{version}")
        except errors.NotFound:
            return frozenset()
        return frozenset(str(resource["name"]) for resource in answer.get("resources", []))

    async def versions(self, group: str) -> tuple[str, ...]:
        """Return the versions that the apiserver serves of a group; none if it does not know the group."""
        try:
            answer = await self._exchange("discover", Kind("APIGroup", group, "", ""), "GET", f"/apis/{group}")
        except errors.NotFound:
            return ()
        return tuple(str(each["version"]) for each in answer.get("versions", []))

    async def _write(
        self, verb: str, kind: Kind, method: str, namespace: str, name: str | None = None, **parts: Any
    ) -> Body:
        """Send every write at its turn, so that each can be counted and none leaves its object's namespace."""
        await self._rate.turn(kind)
        answer = await self._request(verb, kind, method, namespace, name, **parts)
        self._wrote(verb, kind.name)
        return answer

    async def _request(
        self,
        verb: str,
        kind: Kind,
        method: str,
        namespace: str | None,
        name: str | None = None,
        *,
        subresource: str | None = None,
        **parts: Any,
    ) -> Body:
        path = kind.path(namespace, name, subresource)
        where = (namespace or "", name or "")
        return await self._exchange(verb, kind, method, path, where=where, **parts)

    async def _exchange(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        *,
        where: tuple[str, str] = ("", ""),
        query: dict[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Body:
        try:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._api.call_api(*request, _request_timeout=TIMEOUT)
            text = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            detail = str(error) or "no answer in time"
            raise errors.Unavailable(verb, kind.name, *where, detail) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            said, wait = _said(response.status, text), _wait(response.headers)
            raise _error(response.status, text)(verb, kind.name, *where, said, wait)
        try:
            answer: Body = json.loads(text)
        except ValueError as error:
            raise errors.Unavailable(verb, kind.name, *where, "the answer is not JSON") from error
        return answer


def _error(status: int, text: bytes) -> type[errors.ClusterError]:
    """Return which of our errors an answer is."""
    if status == HTTPStatus.FORBIDDEN and b'"NamespaceTerminating"' in text:
        return errors.Leaving
    return _ERRORS.get(status, errors.Unavailable)


def _said(status: int, text: bytes) -> str:
    """Return the apiserver's own sentence; the code alone if it said nothing."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"


def _wait(headers: Mapping[str, str]) -> float:
    """Return for how many seconds the apiserver does not want to be asked again; it names no date."""
    try:
        return max(float(headers.get("Retry-After", "0")), 0.0)
    except ValueError:
        return 0.0


def _guarded(guard: Callable[[], None]) -> aiohttp.TraceConfig:
    """Ask the guard when a write has its connection and the next step is to put it on the wire.

    Asked any earlier, a process that was stopped meanwhile would send what it may no longer send.
    """

    async def about_to_send(_session: object, _context: object, sent: aiohttp.TraceRequestHeadersSentParams) -> None:
        if sent.method != "GET":
            guard()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(about_to_send)
    return trace


@asynccontextmanager
async def connect(
    wrote: Callable[[str, str], None] = _ignore, *, guard: Callable[[], None] | None = None
) -> AsyncIterator[Client]:
    """Connect as the pod's ServiceAccount, or, outside a cluster, as KUBECONFIG says.

    The guard is asked before each write, and raises a ClusterError if it must not be sent.
    """
    configuration = kubernetes.Configuration()
    try:
        kubeconfig.load_incluster_config(configuration)
    except kubeconfig.ConfigException:
        await kubeconfig.load_kube_config(client_configuration=configuration)
    # A proxy of the environment is for the world outside the cluster.
    configuration.client_session_kwargs = {"trust_env": False, "trace_configs": [_guarded(guard)] if guard else []}
    async with kubernetes.ApiClient(configuration) as api:
        api.user_agent = "ferryman"
        yield Client(api, wrote)
