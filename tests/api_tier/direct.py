"""The operator's own client, without the operator: what a single request of it does to a real apiserver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kubernetes.aio import client as kubernetes
from kubernetes.aio import config as kubeconfig

from ferryman.cluster.client import Client


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Client]:
    """Connect as a kubeconfig says."""
    configuration = kubernetes.Configuration()
    await kubeconfig.load_kube_config(config_file=str(path), client_configuration=configuration)
    configuration.client_session_kwargs = {"trust_env": False}
    async with kubernetes.ApiClient(configuration) as api:
        yield Client(api)
