"""What a user wishes for: the spec of a ModelDeployment.

The docstring below each field is what `kubectl explain` prints, and each `cel` rule is what the
apiserver refuses with; both reach `crds/` through `api/crd.py`. Every field here acts: a wish that
nothing fulfils would be a lie, so a field arrives together with the code that honours it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from ferryman.api import reference
from ferryman.api.base import SUBDOMAIN, Model, rule, ruled
from ferryman.api.registry import Registry
from ferryman.api.rollout import Rollout
from ferryman.api.scaling import Scaling
from ferryman.api.server import GPU, Server

GROUP = "ferryman.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"

MAX_NAME = 46  # leaves room for a revision's hash and "-canary" inside the 63 characters of a Service's name

Host = Annotated[
    str,
    Field(pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$", max_length=253),
]
DIGEST = r"^sha256:[0-9a-f]{64}$"


class Format(StrEnum):
    """How the artefact's bytes are read."""

    AUTO = "auto"
    MLFLOW = "mlflow"
    SKLEARN = "sklearn"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    ONNX = "onnx"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    KSERVE = "kserve"


class ModelSource(Model):
    """Which model is served, and how its bytes are read."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            *(rule(cel, message, ".uri") for cel, message in reference.CEL_RULES),
            rule(
                "!has(self.registry) || !has(self.registry.trackingURI) || self.uri.startsWith('models:/')",
                "spec.model.registry.trackingURI needs a model of a registry: spec.model.uri must be models:/...",
                ".registry",
            ),
            rule(
                "!has(self.registry) || !has(self.registry.writeBack) || !self.registry.writeBack || "
                "self.uri.matches('^models:/[^/@]+[/@]')",
                "spec.model.registry.writeBack needs a registered model: spec.model.uri must have the form "
                "models:/NAME/VERSION or models:/NAME@ALIAS",
                ".registry",
            ),
            rule(
                "!has(self.registry) || !has(self.registry.onRollback) || self.registry.onRollback != 'Restore' || "
                "self.uri.contains('@')",
                "spec.model.registry.onRollback: Restore needs an alias to restore: spec.model.uri must have the "
                "form models:/NAME@ALIAS",
                ".registry",
            ),
            rule(
                "!has(self.registry) || !has(self.registry.stableAlias) || "
                "!self.uri.endsWith('@' + self.registry.stableAlias)",
                "spec.model.registry.stableAlias must not be the alias that spec.model.uri follows: a promotion "
                "would undo a move of it that came meanwhile",
                ".registry",
            ),
        )
    )

    uri: Annotated[str, Field(max_length=1024), AfterValidator(reference.checked)]
    """Where the model is: `models:/NAME/VERSION` or `models:/NAME@ALIAS` in the MLflow registry, `models:/m-ID` for
    one that was logged to MLflow, `s3://BUCKET/KEY`, `https://HOST/PATH`, or `pvc://CLAIM/PATH` in the object's own
    namespace. An alias is resolved once and pinned; when it moves, the new version becomes a candidate."""

    format: Format = Format.AUTO
    """How the artefact is read. `auto` looks at the files."""

    digest: Annotated[str, Field(pattern=DIGEST)] | None = None
    """The artefact's expected digest. A candidate whose bytes differ never becomes ready."""

    secret_name: Annotated[str, Field(pattern=SUBDOMAIN, max_length=253)] | None = None
    """A Secret in the same namespace whose keys become environment variables of the step that fetches the
    artefact (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, MLFLOW_TRACKING_TOKEN, ...). The
    operator never reads it, and the serving container never sees it."""

    registry: Registry = Registry()
    """Which registry the model is in, and what that is told of its releases. Another registry is another revision."""


class Routing(Model):
    """Where clients find the model, beside its Service inside the cluster."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "!has(self.hosts) || self.hosts.size() == 0 || (has(self.gateways) && self.gateways.size() > 0)",
                "spec.routing.gateways must name a gateway when spec.routing.hosts is set: "
                "a host is reached through a gateway",
                ".gateways",
            ),
            rule(
                "!has(self.gateways) || self.gateways.size() == 0 || (has(self.hosts) && self.hosts.size() > 0)",
                "spec.routing.hosts must name a host when spec.routing.gateways is set: a gateway routes by host",
                ".hosts",
            ),
        )
    )

    hosts: Annotated[list[Host], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})] = []
    """The host names that the gateways serve this model under."""

    gateways: Annotated[
        list[
            Annotated[
                str,
                Field(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=127),
            ]
        ],
        Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = []
    """The Istio gateways that serve the hosts, as `NAMESPACE/NAME`, or `NAME` in the object's namespace."""


class ModelDeploymentSpec(Model):
    """A model that is to be served, and how a new version of it takes over."""

    model: ModelSource
    """Which model is served. A change starts a new revision."""

    server: Server = Server()
    """The pods that serve it. A change starts a new revision."""

    scaling: Scaling = Scaling()
    """How many pods. A change starts no revision."""

    routing: Routing = Routing()
    """Where clients find it. A change starts no revision."""

    rollout: Rollout = Rollout()
    """How a new revision takes over. A change starts no revision."""

    def challenger(self) -> ModelDeploymentSpec | None:
        """Return the spec as it would be if the challenger were to be served; None where there is none."""
        shadow = self.rollout.challenger
        if shadow is None:
            return None
        model = self.model.model_copy(update={"uri": shadow.uri, "digest": None})
        return self.model_copy(update={"model": model})


class ObjectMeta(Model):
    """The part of an object's metadata that decisions are made from."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    deletion_timestamp: str | None = None


def gpus(spec: ModelDeploymentSpec) -> bool:
    """Tell whether the serving pods ask for GPUs."""
    return spec.server.resources.limits.get(GPU, "0") != "0"


ROOT_RULES = [
    rule(
        f"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= {MAX_NAME}",
        f"metadata.name must be a lower-case DNS label of at most {MAX_NAME} characters that begins with a letter: "
        "Services are named after it",
    )
]
