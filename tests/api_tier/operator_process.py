"""The operator as the process that the image runs, with the rights that the chart gives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from api_tier.kubectl import until

ROOT = Path(__file__).parents[2]


class OperatorProcess:
    """One operator, to be started, killed and started again."""

    def __init__(self, kubeconfig: Path, log: Path, ports: list[int], **settings: str) -> None:
        self._log = log
        self.metrics_port, self._liveness_port = ports
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FERRYMAN_")},
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
            "FERRYMAN_METRICS_PORT": str(self.metrics_port),
            "FERRYMAN_LIVENESS_PORT": str(self._liveness_port),
            **{f"FERRYMAN_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self, born: Callable[[int], None] = lambda _pid: None) -> None:
        """Start it; whoever has to know its process hears of it before it does anything."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ferryman"], env=self._environment, cwd="/", stdout=log, stderr=log
            )
        born(self._process.pid)
        until(self._healthy, what=f"the operator is alive; its log: {self._log}")

    def kill(self) -> None:
        """End it as a node that fails would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a kubelet would; return its exit code."""
        return self._end(signal.SIGTERM)

    def stand_still(self) -> None:
        """Stop it as a machine that sleeps would; it does not know."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on from where it stood still."""
        self._signal(signal.SIGCONT)

    def told_to_end(self) -> None:
        """Send the signal of a kubelet, and wait for nothing."""
        self._signal(signal.SIGTERM)

    def acts(self) -> bool:
        """Tell whether it is the one that acts; one that does not answer does not."""
        try:
            return "ferryman_acting 1.0" in self.metrics()
        except httpx.HTTPError:
            return False

    def health(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self._liveness_port}/healthz", trust_env=False)

    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def resident_megabytes(self) -> float:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False, timeout=1.0).text

    def log(self) -> str:
        return self._log.read_text()

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(which)

    def _end(self, how: signal.Signals) -> int:
        self._signal(how)
        assert self._process is not None
        try:
            return self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()  # leave nothing behind, and let the test fail
            raise

    def _healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the operator ended; its log: {self._log.read_text()[-2000:]}"
        try:
            return self.health().status_code == 200
        except httpx.HTTPError:
            return False
