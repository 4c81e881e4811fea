"""What a person reads when the model is ready: where it is, and a line that asks it something."""

import shlex
from pathlib import Path
from urllib.parse import quote

from ferryman_server.dataplane.model import Model
from ferryman_server.rest import example, message
from ferryman_server.serving import Serving

_ANY = {"", "0.0.0.0", "::"}  # noqa: S104 - to recognise, not to listen on
_LONGEST = 2000
"""Characters of a body that still are pleasant to look at; a longer one goes into a file."""


def text(serving: Serving, examples: Path) -> str:
    """The block."""
    settings = serving.settings
    assert serving.plane is not None
    home = address(settings.host, settings.port)
    lines = [
        f"{settings.model_name} is ready: {kind(serving.plane.model)}",
        "",
        f"  address  {home}",
        f"  docs     {home}/docs",
        *([f"  gRPC     {address(settings.host, settings.grpc_port, '')}"] if settings.grpc_port else []),
        "",
        *(f"  {line}" for line in _asking(serving, home, examples)),
        "",
        "Ctrl-C ends it.",
    ]
    return "\n" + "\n".join(lines) + "\n\n"


def address(host: str, port: int, scheme: str = "http://") -> str:
    """Where clients on this machine find it."""
    known = "127.0.0.1" if host in _ANY else host
    return f"{scheme}[{known}]:{port}" if ":" in known else f"{scheme}{known}:{port}"


def kind(model: Model) -> str:
    """What the model is, and what runs it where that is something else."""
    graph = model.optimization is not None and model.optimization.runtime != "native"
    return f"{model.platform}, run as a graph by ONNX Runtime" if graph else model.platform


def _asking(serving: Serving, home: str, examples: Path) -> list[str]:
    bodies = example.bodies(serving)
    if bodies is None:
        return ["The model does not say what it takes; the docs page shows how to ask."]
    assert serving.plane is not None
    # One row says enough, unless the model's own shape wants more.
    rows = bodies.v1["instances"][:1] if serving.plane.model.batches else bodies.v1["instances"]
    body = message.encode({"instances": rows}).decode()
    name = serving.settings.model_name
    return [
        f"curl -s {shlex.quote(f'{home}/v1/models/{quote(name)}:predict')} \\",
        f"  -d {_short(body, examples / f'{name}.json')}",
    ]


def _short(body: str, file: Path) -> str:
    """The body for the shell, or the name of a file with it."""
    if len(body) <= _LONGEST:
        return shlex.quote(body)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(body, encoding="utf-8")
    return shlex.quote(f"@{file}")
