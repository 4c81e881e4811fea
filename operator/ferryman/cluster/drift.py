"""Whether a live object still says what was rendered. Pure.

The apiserver adds defaults, so what lives may say more than what was rendered, except where nothing is ever added:
there, more is drift. Amounts are compared as amounts: 500m is 0.5.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kubernetes.utils import quantity

from ferryman.cluster import kinds
from ferryman.render import names

_EXACT = frozenset({"selector", "matchLabels"})
"""Keys under which nothing is defaulted: a label more selects other pods."""

_AMOUNTS = frozenset({"requests", "limits"})
"""Keys under which values are Kubernetes quantities."""

_KEYED = {
    "ownerReferences": ("uid",),
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("port", "containerPort", "protocol"),
}
"""Lists whose entries the apiserver tells apart by these fields: an entry more is someone else's, and stays."""

_UNDEFAULTED = frozenset(kind.name for kind in kinds.MESH_CHILDREN)
"""Kinds whose spec stands as it was written: a field more is someone else's."""


def digest(rendered: dict[str, Any]) -> str:
    """Return the digest of what was rendered, to be carried by the object itself."""
    text = json.dumps(rendered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def marks(rendered: dict[str, Any]) -> dict[str, str]:
    """Return the annotations that an object carries once it is applied: what it says, and for whom it was made."""
    said = {names.ANNOTATION_APPLIED: digest(rendered)}
    owners = rendered["metadata"].get("ownerReferences")
    return {**said, names.ANNOTATION_OWNER: owners[0]["uid"]} if owners else said


def stands(rendered: dict[str, Any], live: dict[str, Any]) -> bool:
    """Tell whether the live object is the one that was applied from this very text, and nobody changed it since."""
    annotations = live["metadata"].get("annotations") or {}
    if any(annotations.get(name) != value for name, value in marks(rendered).items()):
        return False
    if rendered["kind"] in _UNDEFAULTED and rendered["spec"] != live.get("spec"):
        return False
    return _says(rendered, live, "")


def surplus(rendered: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """Return a merge patch that takes away what others added where nothing may be added; empty if nothing was.

    Server-side apply leaves what somebody else set, even if it is forced.
    """
    if rendered["kind"] not in _UNDEFAULTED:
        return {}
    more = _more(rendered["spec"], live.get("spec") or {})
    return {"spec": more} if more else {}


def _more(wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """Return null for each field of a live object that is not wanted; lists are atomic, and applied whole."""
    more: dict[str, Any] = {name: None for name in live if name not in wanted}
    for name, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(name), dict):
            inside = _more(value, live[name])
            more.update({name: inside} if inside else {})
    return more


def _says(wanted: Any, live: Any, key: str) -> bool:
    if isinstance(wanted, dict):
        if not isinstance(live, dict) or (key in _EXACT and set(wanted) != set(live)):
            return False
        inside = key if key in _AMOUNTS else ""
        return all(name in live and _says(value, live[name], inside or name) for name, value in wanted.items())
    if isinstance(wanted, list) and key in _KEYED and isinstance(live, list):
        return all(_says(each, _same(each, live, _KEYED[key]), key="") for each in wanted)
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(wanted) == len(live)
            and all(_says(value, live[index], key) for index, value in enumerate(wanted))
        )
    if key in _AMOUNTS:
        return bool(_amount(wanted) == _amount(live))
    return bool(wanted == live)


def _same(wanted: Any, live: list[Any], key: tuple[str, ...]) -> Any:
    """Return the live entry that the apiserver takes for the wanted one; None if there is none."""
    own = {field: wanted[field] for field in key if field in wanted}
    return next((each for each in live if all(each.get(field) == value for field, value in own.items())), None)


def _amount(value: Any) -> Any:
    try:
        return quantity.parse_quantity(value)
    except ValueError:
        return value
