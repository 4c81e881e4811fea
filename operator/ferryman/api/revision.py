"""One revision, and what becomes of it: as status remembers it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import Model
from ferryman.api.guest import Image
from ferryman.api.modeldeployment import Format
from ferryman.api.server import Server


class ResolvedModel(Model):
    """The model a revision serves, as the registry or the spec named it when it was resolved."""

    model_config = ConfigDict(extra="ignore")

    uri: str
    """The URI that the pods fetch: a registry alias is replaced by the version it stood for."""
    requested: str
    """The URI that the spec named."""
    version: str | None = None
    """The registry's version number, where there is one."""
    registry: str | None = None
    """The tracking server that says so, where it is not the installation's own."""
    source: str | None = None
    """What the registry says that the version was made from: a place, or a model that it logged."""
    location: str | None = None
    """Where the files lie, in the words of the registry's artefact store. The pods fetch them from there."""
    digest: str | None = None
    """What the version's tag `digest` says of its files, which the pods verify."""
    run_id: str | None = None
    """The registry's run that made the model."""
    release: str | None = None
    """The semantic version that the version's tag `version` gives it, if it has one."""
    registered: datetime | None = None
    """When the version was registered."""
    registered_by: str | None = None
    """Who registered it, if the registry knows."""
    tags: dict[str, str] | None = None
    """The version's tags when it was named, but for MLflow's own and ours; long ones are cut."""
    flavors: list[str] | None = None
    """The flavours that it was logged in, with their packages' versions."""
    inputs: list[str] | None = None
    """What it takes, by its signature: name, type, and whether it may be left out."""
    outputs: list[str] | None = None
    """What it gives, by its signature."""

    def same_bytes(self, other: ResolvedModel) -> bool:
        """Tell whether another resolution means the same artefact: a number may be given again, to another."""
        return (self.registry, self.uri, self.source) == (other.registry, other.uri, other.source)

    def described_by(self, others: Iterable[ResolvedModel]) -> ResolvedModel | None:
        """Return this with what was logged with the same bytes, as another resolution has it; None if none does."""
        same = next((other for other in others if self.same_bytes(other)), None)
        if same is None:
            return None
        return self.model_copy(update={"flavors": same.flavors, "inputs": same.inputs, "outputs": same.outputs})


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
    """Resources, and how the server in them is run."""


class Revision(Model):
    """One revision: the bytes it serves and the pods that serve them. It never changes once recorded."""

    model_config = ConfigDict(extra="ignore")

    revision: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=55)]
    """The revision's name, which its Deployment, Service and autoscaler carry."""
    model: ResolvedModel
    """The model it serves."""
    image: Image
    """The bundled image: it fetches the model, and serves it unless the pod names a server of its own."""
    pod: PodSettings
    """The settings of its pods, so that a later spec cannot reach into a revision that serves."""
    since: datetime
    """When this revision took the role that it has now."""
    served: bool = False
    """Whether the candidate ever had a share of live traffic in this run."""
    ready_replicas: int = 0
    """How many of its pods serve now."""


class Retiring(Model):
    """A revision that gave up its role: its pods stay until the route has been without it for the drain delay."""

    model_config = ConfigDict(extra="ignore")

    revision: Revision
    """Which revision it is."""
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
