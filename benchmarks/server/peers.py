"""Every server of the benchmark: where it is asked, with which models, and in which setting.

Each peer is set up in its own official way and then in the fastest one that its documentation offers: logs off, one
worker, in process, uvloop and httptools where it can use them. Native libraries get one thread: there is one core.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from benchmarks.server import launch, places
from benchmarks.server.cases import Model, Protocol
from benchmarks.server.launch import Start

V1, V2 = "/v1/models/model:predict", "/v2/models/model/infer"
BOTH = (Model.IRIS, Model.FOREST)


class Role(Enum):
    """What a row is for."""

    OURS = auto()
    PEER = auto()
    CEILING = auto()


@dataclass(frozen=True, slots=True)
class Peer:
    """One server in one setting."""

    name: str
    environment: str
    """The environment of its own; `ferryman` is the one this repository's server is tested in."""
    role: Role
    paths: Mapping[Protocol, str]
    ready: str
    start: Start
    models: tuple[Model, ...] = BOTH
    answers: bool = True
    """Whether its answers can be right: an echo's cannot."""
    said: str = ""

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        folder = places.SERVER_VENV if self.environment == "ferryman" else places.CACHE / self.environment
        return folder / "bin" / "python"


OURS_PATHS = {
    Protocol.V1: V1,
    Protocol.V2: V2,
    Protocol.V2_BINARY: V2,
    Protocol.GRPC: "",
    Protocol.INVOCATIONS: "/invocations",
}
V2_PATHS = {Protocol.V2: V2, Protocol.GRPC: ""}
OWN = {Protocol.OWN: "/predict"}
PEERS = (
    Peer(
        "ferryman",
        "ferryman",
        Role.OURS,
        OURS_PATHS,
        "/readyz",
        launch.ferryman("auto"),
        (*BOTH, Model.PYFUNC, Model.SLOW),
        said="as it comes",
    ),
    Peer(
        "ferryman-off",
        "ferryman",
        Role.OURS,
        {protocol: OURS_PATHS[protocol] for protocol in (Protocol.V1, Protocol.V2, Protocol.GRPC)},
        "/readyz",
        launch.ferryman("off"),
        said="scikit-learn itself predicts",
    ),
    Peer(
        "kserve",
        "kserve",
        Role.PEER,
        {Protocol.V1: V1, Protocol.V2: V2, Protocol.V2_BINARY: V2, Protocol.GRPC: ""},
        "/v2/health/ready",
        launch.kserve,
        said="its SDK, `predict` as its sklearnserver has it, logs off",
    ),
    Peer(
        "mlserver",
        "mlserver",
        Role.PEER,
        V2_PATHS,
        "/v2/models/model/ready",
        launch.mlserver({}),
        said="in process",
    ),
    Peer(
        "mlserver-batching",
        "mlserver",
        Role.PEER,
        V2_PATHS,
        "/v2/models/model/ready",
        launch.mlserver({"max_batch_size": 8, "max_batch_time": 0.01}),
        said="adaptive batching, set for eight connections: 8 requests or 10 ms",
    ),
    Peer(
        "mlflow",
        "mlflow",
        Role.PEER,
        {Protocol.INVOCATIONS: "/invocations"},
        "/ping",
        launch.mlflow,
        (*BOTH, Model.PYFUNC, Model.SLOW),
        said="`mlflow models serve`, with uvloop and httptools added",
    ),
    Peer(
        "fastapi",
        "fastapi",
        Role.PEER,
        OWN,
        "/ready",
        launch.uvicorn("fastapi_app:app", launch.joblib),
        said="twenty lines under uvicorn, httptools, uvloop",
    ),
    Peer("litserve", "litserve", Role.PEER, OWN, "/health", launch.litserve, said="one worker"),
    Peer("bentoml", "bentoml", Role.PEER, OWN, "/readyz", launch.bentoml, said="one worker, access log off"),
    Peer(
        "ceiling",
        "ceiling",
        Role.CEILING,
        OWN,
        "/ready",
        launch.uvicorn("ceiling_app:onnx", launch.onnx),
        said="raw ASGI, msgspec, ONNX Runtime; no check, no metric",
    ),
    Peer(
        "echo",
        "ceiling",
        Role.CEILING,
        OWN,
        "/ready",
        launch.uvicorn("ceiling_app:echo", launch.onnx),
        answers=False,
        said="raw ASGI, no model: what HTTP alone costs",
    ),
)
BY_NAME = {peer.name: peer for peer in PEERS}
QUICK = ("ferryman", "kserve", "fastapi", "ceiling")


def named(names: str) -> list[Peer]:
    """Return the servers of a list with commas; the name of an environment stands for all its settings."""
    if not names:
        return list(PEERS)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if not any(name in {peer.name, peer.environment} for peer in PEERS)]
    if unknown:
        sys.exit(f'No server here is called "{unknown[0]}". Known are {", ".join(sorted({p.name for p in PEERS}))}.')
    return [peer for peer in PEERS if peer.name in wanted or peer.environment in wanted]
