"""How each server is started, in its fastest official setting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.server import places

APPS = Path(__file__).parent / "apps"
QUIET = ("--no-access-log", "--log-level", "warning")
UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", *QUIET, "--app-dir", str(APPS))


@dataclass(frozen=True, slots=True)
class Ports:
    """Three free ones; most servers use fewer."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What a server is started with."""

    model: Path
    """The folder of the model, in all formats."""
    scratch: Path
    """A folder of its own, for its settings."""
    ports: Ports


@dataclass(frozen=True, slots=True)
class Launch:
    """Arguments to the peer's Python, and its environment."""

    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


Start = Callable[[Setup], Launch]


# --- ours -----------------------------------------------------------------------------------------


def ferryman(optimize: str) -> Start:
    """Ours, from the same MLflow directory that MLflow's own server gets."""

    def launch(setup: Setup) -> Launch:
        return Launch(
            ("-m", "ferryman_server"),
            {
                "PYTHONPATH": str(places.REPOSITORY / "runtime-image"),
                "FERRYMAN_MODEL_NAME": "model",
                "FERRYMAN_MODEL_DIR": str(setup.model / "mlflow"),
                "FERRYMAN_ALLOW_PICKLE": "true",
                "FERRYMAN_HOST": "127.0.0.1",
                "FERRYMAN_PORT": str(setup.ports.http),
                "FERRYMAN_GRPC_PORT": str(setup.ports.grpc),
                "FERRYMAN_OPTIMIZE": optimize,
                "FERRYMAN_DRAIN_SECONDS": "0",
                "FERRYMAN_TERMINATION_LOG": str(setup.scratch / "termination"),
            },
        )

    return launch


# --- peers ----------------------------------------------------------------------------------------


def joblib(setup: Setup) -> dict[str, str]:
    """What an app here is told: the scikit-learn model, and where to listen."""
    return {"BENCH_MODEL": str(setup.model / "joblib" / "model.joblib"), "BENCH_PORT": str(setup.ports.http)}


def kserve(setup: Setup) -> Launch:
    """Its SDK, with the few lines that make a server of it."""
    ports = ("--http_port", str(setup.ports.http), "--grpc_port", str(setup.ports.grpc))
    return Launch((str(APPS / "kserve_app.py"), *ports), joblib(setup))


def mlserver(batching: Mapping[str, float]) -> Start:
    """Its own scikit-learn runtime."""

    def launch(setup: Setup) -> Launch:
        settings = {
            "debug": False,
            "parallel_workers": 0,  # in process: a pool would share the one core, and cost a queue
            "host": "127.0.0.1",
            "http_port": setup.ports.http,
            "grpc_port": setup.ports.grpc,
            "metrics_port": setup.ports.metrics,
        }
        model = {
            "name": "model",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(setup.model / "joblib" / "model.joblib")},
            **batching,
        }
        (setup.scratch / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        (setup.scratch / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        return Launch(("-c", "from mlserver.cli import main; main()", "start", str(setup.scratch)))

    return launch


def mlflow(setup: Setup) -> Launch:
    """`mlflow models serve`, in the environment that it stands in."""
    where = ("-m", str(setup.model / "mlflow"), "-h", "127.0.0.1", "-p", str(setup.ports.http))
    return Launch(("-m", "mlflow", "models", "serve", *where, "--env-manager", "local", "--workers", "1"))


def uvicorn(app: str, env: Callable[[Setup], dict[str, str]]) -> Start:
    """An ASGI app of ours."""
    return lambda setup: Launch((*UVICORN, "--port", str(setup.ports.http), app), env(setup))


def bentoml(setup: Setup) -> Launch:
    """`bentoml serve`."""
    where = ("--host", "127.0.0.1", "--port", str(setup.ports.http), "--working-dir", str(APPS))
    return Launch(("-m", "bentoml", "serve", *where, "bentoml_app:Sklearn"), joblib(setup))


def litserve(setup: Setup) -> Launch:
    """LitServe starts itself."""
    return Launch((str(APPS / "litserve_app.py"),), joblib(setup))


def onnx(setup: Setup) -> dict[str, str]:
    """What the ceiling's app is told."""
    return {"BENCH_MODEL": str(setup.model / "onnx" / "model.onnx")}
