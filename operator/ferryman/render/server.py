"""The container of the bundled model server."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.render import environment, names
from ferryman.settings import Settings


def container(owner: ObjectMeta, revision: Revision, settings: Settings) -> dict[str, Any]:
    """Return what the bundled server's container has of its own."""
    env = environment.bundled(owner, revision, settings) + environment.traces(settings)
    if revision.pod.server.cache is not None:
        env += environment.cache(revision.pod.server.cache)
    return {
        "image": revision.image,
        "command": ["python", "-m", "ferryman_server"],
        "env": env,
        "ports": [
            {"name": names.HTTP, "containerPort": names.PORT},
            {"name": names.GRPC, "containerPort": names.GRPC_PORT},
        ],
        # it listens before it loads: alive at once, ready once the model is loaded and warm
        "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=120),
        "livenessProbe": _probe("/healthz", periodSeconds=10, timeoutSeconds=5),
        "readinessProbe": _probe("/readyz", periodSeconds=1, timeoutSeconds=5, failureThreshold=3),
    }


def _probe(path: str, **fields: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": names.HTTP}, **fields}
