"""The addresses: two Services per revision, which routes name, and a front Service that clients name."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.render import meta, names


def backend(owner: ObjectMeta, revision: str) -> dict[str, Any]:
    """Return the Service of one revision's pods."""
    return _service(meta.metadata(owner, revision, revision), names.selector(owner.name, revision))


def canary(owner: ObjectMeta, revision: str) -> dict[str, Any]:
    """Return a revision's second Service: it selects all revisions' pods; its rule prefers the revision's own."""
    selector = {names.LABEL_DEPLOYMENT: owner.name}
    return _service(meta.metadata(owner, names.canary(revision), revision), selector)


def front(owner: ObjectMeta, stable: str, memory: str) -> dict[str, Any]:
    """Return the Service that keeps its name for ever, selects stable's pods, and remembers what was decided."""
    annotations = {names.ANNOTATION_MEMORY: memory}
    return _service(meta.metadata(owner, owner.name, annotations=annotations), names.selector(owner.name, stable))


def _service(metadata: dict[str, Any], selector: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
                for name, port in ((names.HTTP, names.SERVICE_PORT), (names.GRPC, names.SERVICE_GRPC_PORT))
            ],
        },
    }
