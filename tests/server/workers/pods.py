"""A pod with several workers, as real processes, and what the machine tells of them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server import process

_ESTABLISHED = "01"


@dataclass
class Pod(process.Running):
    """The parent's process, and its children."""

    def workers(self) -> list[int]:
        """Their process ids, the oldest first."""
        pid = self.popen.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def spread(self, of: int | None = None) -> list[int]:
        """How many connections of a port, the REST one by default, each worker has."""
        port = f":{of or int(self.address.rpartition(':')[2]):04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == _ESTABLISHED}
        return [len(ours & set(_open_files(pid))) for pid in self.workers()]

    def count(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series with these labels, from whichever worker answers."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        lines = [
            line for line in self.get("/metrics").text.splitlines() if line.startswith((metric + "{", metric + " "))
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(one in line for one in wanted))

    def until_workers(self, count: int) -> None:
        """So many answer."""

        def there() -> bool:
            assert self.popen.poll() is None, self.log.read_text()
            return self.count("ferryman_workers") == count

        process.until(there, f"{count} workers answer")

    def until_spread(self, *wanted: int) -> None:
        """The connections are where they should be."""
        process.until(lambda: sorted(self.spread()) == sorted(wanted), f"connections spread as {wanted}")


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(entry.readlink())


@contextlib.contextmanager
def pod(model_dir: Path, scratch: Path, **contract: str) -> Iterator[Pod]:
    """As a pod that was given two workers."""
    with process.server(model_dir, scratch, FERRYMAN_WORKERS="2", **contract) as running:
        yield Pod(running.popen, running.address, running.log, running.termination_log)


@contextlib.contextmanager
def narrow(model_dir: Path, scratch: Path, limits: str, **contract: str) -> Iterator[Pod]:
    """One whose limits are said (narrow.py), because this machine's own are what they are."""
    port = process.free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "FERRYMAN_MODEL_NAME": "iris",
        "FERRYMAN_MODEL_DIR": str(model_dir),
        "FERRYMAN_HOST": "127.0.0.1",
        "FERRYMAN_PORT": str(port),
        "FERRYMAN_GRPC_PORT": "0",
        "FERRYMAN_TERMINATION_LOG": str(scratch / "termination-log"),
        **contract,
    }
    log = scratch / "narrow.log"
    command = [sys.executable, str(Path(__file__).with_name("narrow.py")), limits]
    with log.open("wb") as sink:
        popen = subprocess.Popen(command, env=env, stdout=sink, stderr=sink)
    try:
        yield Pod(popen, f"http://127.0.0.1:{port}", log, scratch / "termination-log")
    finally:
        popen.kill()
        popen.wait()
