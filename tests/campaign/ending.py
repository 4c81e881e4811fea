"""Oracle I2: where a run ended, in a form in which two runs can be compared.

What differs between two runs without faults (identities, times, addresses) is learned and masked, as Sieve does; the
bounded journal of decisions may tell of a fault and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from campaign import stage
from campaign.past import Past
from ferryman.cluster import kinds

Body = dict[str, Any]
Flat = dict[str, Any]
"""Each leaf by its path."""

COMPARED = (kinds.MODEL_DEPLOYMENT, *kinds.CHILDREN, *kinds.MESH_CHILDREN)
TIME = re.compile(r"\d{4}-\d\d-\d\dT")
WHOLE_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
LEFT_OUT = (
    "managedFields",
    "decisions",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "clusterIP",
    "clusterIPs",
)


def ending(past: Past, namespace: str) -> Flat:
    """Return what stands in a namespace; of children, what their controllers write is left out."""
    flat: Flat = {}
    for kind in COMPARED:
        for body in past.now(namespace, kind):
            if stage.is_bystanders(body["metadata"]["name"]):
                continue
            kept = dict(body)
            if kind != kinds.MODEL_DEPLOYMENT:
                kept.pop("status", None)
            flat |= dict(_leaves(kept, f"{kind.name}/{body['metadata']['name']}"))
    owners = [body["metadata"]["uid"] for body in past.now(namespace, kinds.MODEL_DEPLOYMENT)]
    return {
        path: _told(value, namespace, owners) if isinstance(value, str) else value for path, value in flat.items()
    }


def _told(text: str, namespace: str, owners: Iterable[str]) -> str:
    """Return a text without what differs between two worlds: their namespaces, their times, and who owns what."""
    for word, instead in ((namespace, "NAMESPACE"), *((owner, "OWNER") for owner in owners)):
        text = text.replace(word, instead)
    return WHOLE_TIME.sub("TIME", text)


def differences(found: Flat, wanted: Flat, mask: Iterable[str]) -> dict[str, tuple[Any, Any]]:
    """Return each path at which two endings differ, with what was found and what was wanted."""
    masked = set(mask)
    return {
        path: (found.get(path), wanted.get(path))
        for path in sorted(found.keys() | wanted.keys())
        if path not in masked and found.get(path) != wanted.get(path)
    }


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in LEFT_OUT:
                yield from _leaves(each, f"{path}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            # conditions and named lists by their name, so that another order is no difference of everything
            key = each.get("type") or each.get("name") or number if isinstance(each, dict) else number
            yield from _leaves(each, f"{path}/{key}")
    elif not (isinstance(value, str) and TIME.match(value)):
        yield path, value
