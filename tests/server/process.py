"""Real processes on loopback: our server, and MLflow's."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(claim: Callable[[], object], what: str, seconds: float = _PATIENCE) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if claim():
                return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@dataclass
class Running:
    """Our server as a process, with its address and where its log and last words go."""

    popen: subprocess.Popen[bytes]
    address: str
    log: Path
    termination_log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, timeout=10)

    def in_flight(self) -> float:
        """V1 requests that are being answered, by the server's own metric."""
        name = "ferryman_requests_in_flight"
        lines = [one for one in self.get("/metrics").text.splitlines() if one.startswith(name) and '"v1"' in one]
        return float(lines[0].rpartition(" ")[2])

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return httpx.post(self.address + path, json=body, headers=headers, timeout=30)

    def until_ready(self) -> None:
        def ready() -> bool:
            assert self.popen.poll() is None, self.log.read_text()
            return self.get("/readyz").status_code == 200

        until(ready, "the server is ready")

    def tell_to_stop(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        return self.popen.wait(timeout=_PATIENCE)


@contextlib.contextmanager
def server(model_dir: Path, scratch: Path, **contract: str) -> Iterator[Running]:
    """`python -m ferryman_server` with the operator's environment; it is gone afterwards."""
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "PYTHONPATH": str(_ROOT / "runtime-image"),
        "FERRYMAN_MODEL_NAME": "iris",
        "FERRYMAN_MODEL_VERSION": "7",
        "FERRYMAN_REVISION": "iris-0a1b2c3d",
        "FERRYMAN_MODEL_DIR": str(model_dir),
        "FERRYMAN_HOST": "127.0.0.1",
        "FERRYMAN_PORT": str(port),
        "FERRYMAN_GRPC_PORT": "0",  # those who want it choose a free one
        "FERRYMAN_DRAIN_SECONDS": "0",
        "FERRYMAN_TERMINATION_LOG": str(scratch / "termination-log"),
        **contract,
    }
    log = scratch / "server.log"
    with log.open("wb") as sink:
        popen = subprocess.Popen([sys.executable, "-m", "ferryman_server"], env=env, stderr=sink, stdout=sink)
    try:
        yield Running(popen, f"http://127.0.0.1:{port}", log, scratch / "termination-log")
    finally:
        popen.kill()
        popen.wait()


class Tracking:
    """`mlflow server` with SQLite and an artefact store that it proxies; it starts at once and is awaited later."""

    def __init__(self, scratch: Path) -> None:
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        command = [
            str(Path(sys.executable).with_name("mlflow")), "server",
            "--backend-store-uri", f"sqlite:///{scratch}/mlflow.db",
            "--artifacts-destination", str(scratch / "artifacts"),
            "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        ]  # fmt: skip
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (scratch / "server.log").open("wb") as sink:
            self._popen = subprocess.Popen(command, env=env, stderr=sink, stdout=sink, start_new_session=True)

    def address(self) -> str:
        def healthy() -> bool:
            return httpx.get(f"{self._address}/health", timeout=2).status_code == 200

        until(healthy, "MLflow answers")
        return self._address

    def stop(self) -> None:
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
