"""What the operator answers: the status of a ModelDeployment.

Two kinds of field live here. Decisions (`stable`, `candidate`, `retiring`, `rejected`, `withdrawn`, `phase`) cannot
be recomputed from the spec and the cluster: they are written before their first effect and are the operator's only
memory. Facts (`traffic`, pod counts, `url`, conditions) are what was observed, never what was wished for.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import Model
from ferryman.api.conditions import Condition
from ferryman.api.modeldeployment import Format, Server


class Phase(StrEnum):
    """Where a rollout stands. `docs/status.md` draws how one leads to another."""

    PENDING = "Pending"
    """No revision serves yet; the first one is starting."""
    STABLE = "Stable"
    """One revision serves, and nothing else is under way."""
    STARTING = "Starting"
    """A candidate's pods are starting; it has no traffic."""
    DARK = "Dark"
    """The candidate is ready and unrouted, as the spec asks."""
    SHADOWING = "Shadowing"
    """The candidate gets a copy of live traffic; its answers are thrown away."""
    CANARY = "Canary"
    """The candidate has a share of live traffic."""
    PROMOTING = "Promoting"
    """All traffic is moving to the candidate."""
    ROLLING_BACK = "RollingBack"
    """All traffic is moving back to the stable revision."""


class ResolvedModel(Model):
    """The model a revision serves, as the registry or the spec named it when it was resolved."""

    model_config = ConfigDict(extra="ignore")

    uri: str
    """The URI that the pods fetch: a registry alias is replaced by the version it stood for."""
    requested: str
    """The URI that the spec named."""
    version: str | None = None
    """The registry's version number, where there is one."""
    source: str | None = None
    """Where the registry keeps the artefact."""
    run_id: str | None = None
    """The registry's run that made the model."""


class PodSettings(Model):
    """What shapes a revision's pods beside the model itself."""

    model_config = ConfigDict(extra="ignore")

    format: Format = Format.AUTO
    """How the artefact is read."""
    digest: str | None = None
    """The artefact's expected digest."""
    secret_name: str | None = None
    """The Secret whose keys the fetching step gets as environment."""
    server: Server = Server()
    """Resources, batching and warm-up."""


class Revision(Model):
    """One revision: the bytes it serves and the pods that serve them. It never changes once recorded."""

    model_config = ConfigDict(extra="ignore")

    revision: str
    """The revision's name, which its Deployment, Service and autoscaler carry."""
    model: ResolvedModel
    """The model it serves."""
    image: str
    """The server image its pods run."""
    pod: PodSettings
    """The settings of its pods, so that a later spec cannot reach into a revision that serves."""
    since: datetime
    """When this revision took the role that it has now."""
    served: bool = False
    """Whether the candidate ever had live traffic in this run."""
    ready_replicas: int = 0
    """How many of its pods serve now."""


class Retiring(Model):
    """A revision that is on its way out: its pods stay until the route has been without it for the drain delay."""

    model_config = ConfigDict(extra="ignore")

    revision: Revision
    """Which revision leaves."""
    unrouted_since: datetime | None = None
    """Since when the route was observed without it; absent while a route still names it."""


class Rejected(Model):
    """A revision that was rolled back by the operator, and will not come back by itself."""

    model_config = ConfigDict(extra="ignore")

    revision: str
    """Which revision was rejected."""
    reason: str
    """Why, in one word."""
    message: str
    """Why, in a sentence."""
    time: datetime
    """When."""


class Traffic(Model):
    """How the route splits live traffic, in percent, as read back from it."""

    model_config = ConfigDict(extra="ignore")

    stable: int = 0
    """The stable revision's share."""
    candidate: int = 0
    """The candidate's share."""
    shadow: int = 0
    """The share of live requests that is copied to the candidate."""
    display: str = ""
    """The stable revision's share and that of all others, for `kubectl get`."""
    shadow_display: str = ""
    """The mirrored share, for `kubectl get`."""


class ModelDeploymentStatus(Model):
    """What the operator decided and saw."""

    model_config = ConfigDict(extra="ignore")

    observed_generation: int | None = None
    """The generation of the spec that this status speaks of."""
    phase: Phase | None = None
    """Where the rollout stands, in one word."""
    url: str | None = None
    """Where clients find the model."""
    reason: str | None = None
    """The reason of the Ready condition, for `kubectl get -o wide`."""
    stable: Revision | None = None
    """The revision that serves, and to which a rollback returns."""
    candidate: Revision | None = None
    """The revision that is being rolled out."""
    retiring: list[Retiring] = []
    """Revisions that are leaving."""
    rejected: Rejected | None = None
    """The last revision that the operator rolled back, while the spec still asks for it."""
    withdrawn: str | None = None
    """The revision that the spec took back to 0 after it had traffic; raising the number brings it back."""
    traffic: Traffic | None = None
    """How the route splits live traffic, as read back from it."""
    conditions: Annotated[
        list[Condition],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = []
    """What is true of this object now, in terms that `kubectl wait` understands."""
