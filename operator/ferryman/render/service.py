"""The addresses: one Service per revision, which routes name, and a front Service that clients name."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.render import meta, names


def backend(owner: ObjectMeta, revision: str) -> dict[str, Any]:
    """Return the Service of one revision's pods."""
    return _service(meta.metadata(owner, revision, revision), owner, revision)


def front(owner: ObjectMeta, stable: str) -> dict[str, Any]:
    """Return the Service that keeps its name for ever and selects the stable revision's pods."""
    return _service(meta.metadata(owner, owner.name), owner, stable)


def _service(metadata: dict[str, Any], owner: ObjectMeta, revision: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": names.selector(owner.name, revision),
            "ports": [
                {"name": "http", "port": names.SERVICE_PORT, "targetPort": "http", "protocol": "TCP"},
            ],
        },
    }
