"""Where the local cluster keeps its things: what can be made again, and what belongs to a running cluster."""

import os
import pathlib

SOURCES = pathlib.Path(__file__).resolve().parent.parent
REPOSITORY = SOURCES.parent
MODULES = SOURCES / "modules"
TEMPLATES = SOURCES / "templates"

# Sockets and runtime bundles: short paths (a socket's is limited to 107 bytes), gone after a reboot.
RUNTIME = pathlib.Path("/run/ferryman-cluster")


def cache() -> pathlib.Path:
    """The folder of what was built or fetched; deleting it costs time and nothing else."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "ferryman"


def state() -> pathlib.Path:
    """The folder of the running cluster: certificates, data, logs, kubeconfig; `down` deletes it."""
    home = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local" / "state"
    return pathlib.Path(home) / "ferryman" / "cluster"


def logs() -> pathlib.Path:
    """One file a component."""
    return state() / "logs"


def kubeconfig() -> pathlib.Path:
    """The admin's kubeconfig; nobody's own ~/.kube is ever read or written."""
    return state() / "kubeconfig"
