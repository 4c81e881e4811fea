"""What an installation decides once: read from the environment at the start, passed as a value from there on.

The chart sets every variable (`charts/ferryman/values.yaml` explains them to admins); the defaults here are those
of the chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _words(value: object) -> object:
    """Read a comma-separated list."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _without_password(uri: str) -> str:
    """Refuse what would show in every status and every pod."""
    if "@" in uri.partition("://")[2].partition("/")[0]:
        raise ValueError(
            "an address must not carry a user or password: it stands in statuses and pods; for MLflow, set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the chart's extraEnv"
        )
    return uri


def _each_without_password(uris: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_without_password(uri) for uri in uris)


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Settings(BaseModel):
    """One installation's choices. Each field is the environment variable FERRYMAN_<FIELD>."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    server_image: str = "ferryman.dev/server:dev"
    """The model server image of new revisions."""
    server_gpu_image: str = "ferryman.dev/server:dev-gpu"
    """The model server image of new revisions that ask for GPUs."""
    tracking_uri: Annotated[str, AfterValidator(_without_password)] = ""
    """The MLflow tracking server that `models:/` URIs are resolved with; empty means there is none."""
    registries: Annotated[Words, AfterValidator(_each_without_password)] = ()
    """Other tracking servers that a spec may name. FERRYMAN_REGISTRY_TOKEN_<number> is what the operator shows the
    first (0), the second (1), and so on."""
    trusted_sources: Words = ("models:/",)
    """Prefixes of model URIs from which pickled models may be loaded."""
    private_hosts: Words = ()
    """Hosts of `https://` models, or `.suffixes`, that may have private addresses; others must be public."""
    trace_endpoint: Annotated[str, AfterValidator(_without_password)] = ""
    """Where the bundled servers send their traces, as OTLP over HTTP; empty means nowhere."""
    trace_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    """The share of requests that are traced, of those whose caller has not decided that."""
    drain_seconds: Annotated[float, Field(ge=0)] = 10.0
    """How long a revision's pods stay after the route was observed without it."""
    registry_poll_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How often the registry is asked where an alias points."""
    registry_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How long one question to the registry may take."""
    write_back: bool = False
    """Whether the registry may be told of releases, where a ModelDeployment asks for that."""
    webhook_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where MLflow's webhooks are heard; 0 means nowhere."""
    webhook_secret: Annotated[str, Field(repr=False)] = ""
    """What MLflow signs its deliveries with. Without it none is believed, and so none is heard."""
    resync_seconds: Annotated[float, Field(gt=0)] = 300.0
    """How often every object is looked at even if no event asked for it."""
    sweep_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How often it is looked for changes that no event told of."""
    namespaces: Words = ()
    """The namespaces to watch; empty means all."""
    workers: Annotated[int, Field(ge=1)] = 8
    """How many objects are reconciled at the same time."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """Where Prometheus finds the operator's metrics."""
    liveness_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    """Where the kubelet asks whether the operator is alive."""
    lease_namespace: str = ""
    """Where the Lease is by which one of several operators acts; empty means that there is no other operator."""
    lease_name: str = "ferryman"
    """The name of that Lease."""
    cluster_domain: str = "cluster.local"
    """The cluster's DNS domain."""


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from FERRYMAN_* variables; an unreadable one raises with its name and the reason."""
    known = {
        name: environment[f"FERRYMAN_{name.upper()}"]
        for name in Settings.model_fields
        if f"FERRYMAN_{name.upper()}" in environment
    }
    return Settings.model_validate(known)
