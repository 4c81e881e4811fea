"""A server that somebody else wrote, in place of the bundled one: what the operator has to know of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from ferryman.api.base import Model, rule, ruled

Port = Annotated[int, Field(ge=1024, le=65535)]
"""A port that a process without rights may listen on."""
_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
IMAGE = rf"^{_PART}(:[0-9]{{1,5}})?(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?$"
Image = Annotated[str, Field(pattern=IMAGE, max_length=512)]
"""An image as a registry knows it: host, path, tag and digest, of which only a path has to be there."""
Word = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]


class Protocol(StrEnum):
    """What a server speaks, and thereby where it says that it is ready."""

    V1 = "V1"
    V2 = "V2"
    TORCHSERVE = "TorchServe"


HEALTH = {Protocol.V1: "/v1/models/{name}", Protocol.V2: "/v2/health/ready", Protocol.TORCHSERVE: "/ping"}
"""KServe's V1 and TensorFlow Serving answer for the model, the other two for the whole server."""


class Variable(Model):
    """One variable of a container's environment."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
    """Its name; those that begin with FERRYMAN_ are the operator's."""

    value: Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
    """Its value. `$(NAME)` stands for the value of a variable before it."""


RESERVED = "FERRYMAN_"


def _foreign(variables: list[Variable]) -> list[Variable]:
    """Hold an object that is older than the rule of the CRD to it."""
    names = [variable.name for variable in variables]
    if any(name.startswith(RESERVED) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"spec.server.container.env must name each variable once, and none that begins with {RESERVED}"
        )
    return variables


class Container(Model):
    """How a server of somebody else's is run, and where it says that it is ready.

    The model lies in the directory that FERRYMAN_MODEL_DIR names, fetched as for the bundled server;
    FERRYMAN_MODEL_NAME and FERRYMAN_REVISION are set, too. The container runs as user 65532 without privileges.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "has(self.protocol) || has(self.healthPath)",
                "spec.server.container must have protocol or healthPath: a pod gets requests once it says there that "
                "it is ready",
            ),
            rule(
                "!has(self.grpcPort) || self.grpcPort != self.port",
                "spec.server.container.grpcPort must not be spec.server.container.port",
                ".grpcPort",
            ),
            rule(
                f"!has(self.env) || self.env.all(one, !one.name.startsWith('{RESERVED}'))",
                f"spec.server.container.env must not name a variable that begins with {RESERVED}: those are the "
                "operator's",
                ".env",
            ),
        )
    )

    command: Annotated[list[Word], Field(max_length=64)] = []
    """What is started in place of the image's entry point."""

    args: Annotated[list[Word], Field(max_length=64)] = []
    """The arguments. `$(FERRYMAN_MODEL_DIR)` stands for the model's directory."""

    env: Annotated[
        list[Variable],
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
        AfterValidator(_foreign),
    ] = []
    """Variables of its environment. A value that is secret does not belong here."""

    port: Port = 8080
    """Where it answers HTTP."""

    grpc_port: Port | None = None
    """Where it answers gRPC, if it does."""

    protocol: Protocol | None = None
    """What it speaks; `healthPath` follows from it, where it is not given."""

    health_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._~-]*$", max_length=256)] | None = None
    """The path that answers 200 once the model can be asked, and not before."""

    def health(self, model: str) -> str:
        """Return the path that is asked whether a pod is ready."""
        return self.health_path or (HEALTH[self.protocol].format(name=model) if self.protocol else "/")
