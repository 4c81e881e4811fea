"""Oracle I2: where a run ended, in a form in which two runs can be compared.

What differs between two runs without faults (identities, times, addresses) is learned and masked, as Sieve does; the
bounded journal of decisions may tell of a fault and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from campaign.past import Past
from ferryman.cluster import kinds

Body = dict[str, Any]
Flat = dict[str, Any]
"""Each leaf by its path."""

COMPARED = (kinds.MODEL_DEPLOYMENT, *kinds.CHILDREN, *kinds.MESH_CHILDREN)
TIME = re.compile(r"\d{4}-\d\d-\d\dT")
LEFT_OUT = ("managedFields", "decisions", "resourceVersion", "uid", "creationTimestamp", "generation")


def ending(past: Past, namespace: str) -> Flat:
    """Return what stands in a namespace; of children, what their controllers write is left out."""
    flat: Flat = {}
    for kind in COMPARED:
        for body in past.now(namespace, kind):
            kept = dict(body)
            if kind != kinds.MODEL_DEPLOYMENT:
                kept.pop("status", None)
            flat |= dict(_leaves(kept, f"{kind.name}/{body['metadata']['name']}"))
    # worlds differ by their namespaces, and are compared
    return {
        path: value.replace(namespace, "NAMESPACE") if isinstance(value, str) else value
        for path, value in flat.items()
    }


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
