"""A request to the apiserver, read as the audit log reads it: verb, resource, namespace and name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WRITES = frozenset({"create", "patch", "update", "delete"})

_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}

_NAMESPACES_OWN = frozenset({"status", "finalize"})
"""What follows a namespace's name and is no resource in it."""


@dataclass(frozen=True)
class Asked:
    """What a request is for."""

    verb: str
    group: str = ""
    """Empty for the core group."""
    version: str = ""
    resource: str = ""
    """Plural, with the subresource if there is one; empty for a request that is not about a resource."""
    namespace: str = ""
    name: str = ""
    collection: str = ""
    """The path of all objects of this kind in this namespace."""
    dry: bool = False

    @property
    def writes(self) -> bool:
        """Whether it is meant to change something."""
        return self.verb in WRITES


def read(method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> Asked:
    """Read a request's line; of a creation also its body, which alone knows the name."""
    root, *parts = [part for part in path.split("/") if part] or [""]
    if root == "api":
        group, rest = "", parts
    elif root == "apis":
        group, rest = (parts[0], parts[1:]) if parts else ("", [])
    else:
        return Asked(_VERBS.get(method, "get"), name=path)
    version, *rest = rest or [""]
    if not rest:
        return Asked("discover", group, version, name="/".join(part for part in (group, version) if part))
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACES_OWN:
        namespace, rest = rest[1], rest[2:]
    plural, name, *subresource = [*rest, ""] if len(rest) == 1 else rest
    verb = _VERBS.get(method) or _reading(query, name)
    return Asked(
        verb,
        group,
        version,
        "/".join((plural, *subresource)),
        namespace,
        name or (_name_in(body) if verb == "create" else ""),
        collection=_collection(root, group, version, namespace, plural),
        dry="dryRun" in query,
    )


def _reading(query: Mapping[str, str], name: str) -> str:
    if query.get("watch", "").lower() in {"1", "true"}:
        return "watch"
    return "get" if name else "list"


def _collection(root: str, group: str, version: str, namespace: str, plural: str) -> str:
    inside = ("namespaces", namespace) if namespace else ()
    return "/" + "/".join(part for part in (root, group, version, *inside, plural) if part)


def _name_in(body: bytes) -> str:
    try:
        parsed: Any = json.loads(body)
        return str(parsed["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""
