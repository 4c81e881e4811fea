"""The operator's own client, without the operator: what a single request of it does to a real apiserver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from kubernetes.aio import client as kubernetes
from kubernetes.aio import config as kubeconfig

from ferryman.cluster import client
from ferryman.cluster.client import Client


@asynccontextmanager
async def connected(path: Path, guard: Callable[[], None] | None = None) -> AsyncIterator[Client]:
    """Connect as a kubeconfig says."""
    configuration = kubernetes.Configuration()
    await kubeconfig.load_kube_config(config_file=str(path), client_configuration=configuration)
    configuration.client_session_kwargs = {
        "trust_env": False,
        "trace_configs": [client._guarded(guard)] if guard else [],
    }
    async with kubernetes.ApiClient(configuration) as api:
        yield Client(api)
