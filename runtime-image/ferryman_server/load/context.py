"""What every loader is told, and what every loader says when it fails."""

import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path

from ferryman_server.load.mlmodel import Signature
from ferryman_server.reason import FatalError, Reason


@dataclass(frozen=True, slots=True)
class Context:
    """The model's name for messages, where it lies, what is known of its inputs, what is allowed."""

    model: str
    root: Path
    signature: Signature
    allow_pickle: bool
    threads: int
    optimize: bool = False
    precision: str = ""  # the smaller numbers that were asked for, if any
    recording: Path | None = None  # recorded requests, if they do not lie beside the model


def refuse_code(context: Context, what: str) -> None:
    """Opening a pickle runs whatever its author wrote: only where the installation trusts the source."""
    if not context.allow_pickle:
        raise FatalError(
            Reason.UNTRUSTED_FORMAT,
            f'Model "{context.model}" is {what}, which can run code when it is opened, and its source is not '
            "trusted. Save it as ONNX, skops or the library's own format, or trust the source in the chart's values.",
        )


def version(package: str) -> str:
    """The installed version of a distribution, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def asked_for(root: Path, package: str) -> str:
    """The line of the artefact's requirements.txt about a package, or nothing."""
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    try:
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for line in lines:
        name = re.match(r"[A-Za-z0-9._-]+", line.strip())
        if name and re.sub(r"[-_.]+", "-", name.group()).lower() == wanted:
            return line.strip()
    return ""
