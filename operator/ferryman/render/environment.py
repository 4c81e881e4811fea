"""What a pod is told: the environment that `ferryman_server` reads, and the part of it that a guest gets.

`tests/contract` holds both sides to it.
"""

from __future__ import annotations

from typing import Any

from ferryman.api import quantity
from ferryman.api.guest import Variable
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.api.server import Cache, Optimize
from ferryman.render import names
from ferryman.render.trust import trusted
from ferryman.settings import Settings

Entries = list[dict[str, Any]]

MODEL_DIR = "/mnt/model"
ARTIFACT = f"{MODEL_DIR}/artifact"
"""Where the fetching step puts the model itself; beside it lies what it knows of it."""
PVC_MOUNT = "/mnt/pvc"
SCRATCH = "/tmp"  # noqa: S108 the only writable directory beside the model's
DRAIN_SECONDS = 2
"""How long the server goes on answering after SIGTERM, which comes after the pod's `preStop`."""


def bundled(owner: ObjectMeta, revision: Revision, settings: Settings) -> Entries:
    """Return what the fetching step and the bundled server read at their start."""
    server = revision.pod.server
    values = {
        "FERRYMAN_MODEL_NAME": owner.name,
        "FERRYMAN_MODEL_VERSION": revision.model.version or "",
        "FERRYMAN_REVISION": revision.revision,
        "FERRYMAN_MODEL_URI": revision.model.uri,
        "FERRYMAN_MODEL_FORMAT": revision.pod.format.value,
        "FERRYMAN_MODEL_DIR": MODEL_DIR,
        "FERRYMAN_MODEL_DIGEST": revision.pod.digest or revision.model.digest or "",
        "FERRYMAN_PVC_MOUNT": PVC_MOUNT,
        "FERRYMAN_ALLOW_PICKLE": "true" if trusted(revision.model.uri, settings) else "false",
        "FERRYMAN_PORT": str(names.PORT),
        "FERRYMAN_WARMUP_REQUESTS": str(server.warmup.requests),
        "FERRYMAN_MAX_BATCH_SIZE": str(server.batching.max_batch_size),
        "FERRYMAN_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "HOME": SCRATCH,
    }
    if server.optimize is not Optimize.AUTO:  # a new variable in every pod would restart every pod
        values["FERRYMAN_OPTIMIZE"] = server.optimize.value
    if server.workers is not None:
        values["FERRYMAN_WORKERS"] = str(server.workers)
    if server.sampling is not None:
        values["FERRYMAN_SAMPLE_PERCENT"] = str(server.sampling.percent)
    if revision.model.location is not None:
        values["FERRYMAN_MODEL_LOCATION"] = revision.model.location
    server_of_its_own = revision.model.registry or settings.tracking_uri
    if server_of_its_own:
        values["MLFLOW_TRACKING_URI"] = server_of_its_own
    if settings.private_hosts:
        values["FERRYMAN_PRIVATE_HOSTS"] = ",".join(settings.private_hosts)
    return _entries(values)


def traces(settings: Settings) -> Entries:
    """Return where the bundled server's traces go: OpenTelemetry's own variables."""
    if not settings.trace_endpoint:
        return []
    return _entries(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": settings.trace_endpoint,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": f"{settings.trace_percent / 100:g}",
        }
    )


def cache(wish: Cache) -> Entries:
    """Return what only the bundled server reads: whether it remembers answers, and where."""
    told = _entries(
        {
            "FERRYMAN_CACHE_BYTES": str(quantity.size(wish.memory)),
            "FERRYMAN_CACHE_TTL_SECONDS": str(wish.ttl_seconds),
        }
    )
    if wish.redis_secret is not None:
        told.append({"name": "FERRYMAN_CACHE_REDIS", "valueFrom": {"secretKeyRef": wish.redis_secret.to_api()}})
    return told


def guest(owner: ObjectMeta, revision: Revision, variables: list[Variable]) -> Entries:
    """Return what a server of somebody else's may want to know of its model, and what the spec tells it."""
    ours = {
        "FERRYMAN_MODEL_NAME": owner.name,
        "FERRYMAN_MODEL_VERSION": revision.model.version or "",
        "FERRYMAN_REVISION": revision.revision,
        "FERRYMAN_MODEL_DIR": ARTIFACT,
        "HOME": SCRATCH,
    }
    return _entries(ours | {variable.name: variable.value for variable in variables})


def _entries(values: dict[str, str]) -> Entries:
    # the apiserver drops an empty value: rendered, it would look like drift at every look
    return [{"name": name, "value": value} if value else {"name": name} for name, value in values.items()]
