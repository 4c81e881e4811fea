"""The data plane that remembers, as the settings want it. Imported only where they do."""

import time
from types import ModuleType

from ferryman_server import cache_metrics
from ferryman_server.dataplane.batch import Batcher
from ferryman_server.dataplane.cache import Cache
from ferryman_server.dataplane.key import Keys
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.remembering import RememberingPlane
from ferryman_server.dataplane.rows import Answer
from ferryman_server.dataplane.worker import Worker
from ferryman_server.metrics import Identity, Metrics
from ferryman_server.settings import Settings


async def plane(
    settings: Settings, model: Model, batcher: Batcher, *, measures: Metrics, digest: str, model_thread: Worker
) -> RememberingPlane:
    """Remembers answers in this process and, where there is a Redis, with the other replicas."""
    memory: Cache[Answer] = Cache(settings.cache_bytes, time.monotonic)
    identity = Identity(settings.model_name, settings.model_version, settings.revision)
    observer = cache_metrics.CacheMetrics(identity, memory, measures.numbers, shared=bool(settings.cache_redis))
    measures.before.append(observer.weigh)
    measures.registry.register(observer)
    keys = Keys(_identity(settings, model, digest))
    seconds = settings.cache_ttl_seconds
    if not settings.cache_redis:
        return RememberingPlane(model, batcher, keys, memory, seconds=seconds, observer=observer)
    store = await model_thread.call(_client)
    shared = store.Store(settings.cache_redis, settings.revision, seconds, observer)
    return RememberingPlane(model, batcher, keys, memory, seconds=seconds, observer=observer, shared=shared)


def _client() -> ModuleType:
    """Redis' client takes its time and 25 MB: for those who want it, and off the event loop."""
    from ferryman_server.shared import store  # noqa: PLC0415 - as said

    return store


def _identity(settings: Settings, model: Model, digest: str) -> tuple[str, ...]:
    """Whoever differs in any of these may answer otherwise: another model, another runtime, another library."""
    runtime = f"{model.optimization.runtime} {model.optimization.precision}" if model.optimization else ""
    packages = (f"{name}=={version}" for name, version in sorted(model.packages.items()))
    return (
        settings.revision,
        settings.model_name,
        settings.model_version,
        digest,
        model.platform,
        runtime,
        *packages,
    )
