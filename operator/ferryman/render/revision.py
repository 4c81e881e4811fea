"""A wish becomes a revision: its name is a digest of the bytes it serves and of what shapes its pods.

Scaling, routing and rollout policy are not part of it, and neither is the server image that the installation
chooses: an upgrade of the operator starts no rollout. Fields at their default are left out of the digest, so that a
field that a later version adds leaves every revision's name as it is.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from ferryman.api.modeldeployment import ModelDeploymentSpec, gpus
from ferryman.api.revision import PodSettings, ResolvedModel, Revision
from ferryman.render import names
from ferryman.settings import Settings


def wished(name: str, spec: ModelDeploymentSpec, model: ResolvedModel, settings: Settings, now: datetime) -> Revision:
    """Return the revision that a resolved spec asks for."""
    pod = PodSettings(
        format=spec.model.format,
        digest=spec.model.digest,
        secret_name=spec.model.secret_name,
        server=spec.server,
    )
    return Revision(
        revision=names.revision(name, digest(model, pod)),
        model=model,
        image=settings.server_gpu_image if gpus(spec) and spec.server.image is None else settings.server_image,
        pod=pod,
        since=now,
    )


def digest(model: ResolvedModel, pod: PodSettings) -> str:
    """Return the digest of what a revision serves and how, as lower-case hex."""
    shape: dict[str, Any] = {
        "uri": model.uri,
        "source": model.source,
        "pod": pod.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }
    if model.registry is not None:
        shape["registry"] = model.registry
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
