"""A server under test as a tree of processes: pinned, watched, asleep while others are measured, always ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import places
from benchmarks.server.cases import Model
from benchmarks.server.launch import Ports, Setup
from benchmarks.server.peers import Peer

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


class ServerError(Exception):
    """A server does not start or does not answer; the text says which and where its log is."""


@dataclass(slots=True)
class Server:
    """One running server."""

    peer: Peer
    model: Model
    ports: Ports
    process: subprocess.Popen[bytes]
    log: Path
    ready_seconds: float = 0.0

    def tree(self) -> list[int]:
        """Return its process and all below it, parents first."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
        found = [self.process.pid]
        for pid in found:
            found.extend(children.get(pid, ()))
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time of the tree so far, in user and kernel, with children that have ended."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError, ValueError):
                fields = _fields(Path(f"/proc/{pid}/stat"))
                total += sum(int(fields[at]) for at in (11, 12, 13, 14))
        return total / TICKS

    def memory_mb(self) -> float:
        """Return what stays resident: all of the largest process, and what each other has for itself alone."""
        resident, private = [], []
        for pid in self.tree():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
                sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
                resident.append(sizes["Rss"])
                private.append(sizes["Private_Clean"] + sizes["Private_Dirty"])
        if not resident:
            return 0.0
        largest = resident.index(max(resident))
        return (resident[largest] + sum(private) - private[largest]) / 1024

    def sleep(self) -> None:
        """Stop the whole tree where it is: an idle server still ticks, and the core is another's now."""
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for so long."""
        self.wake()
        try:
            yield
        finally:
            self.sleep()

    def stop(self) -> None:
        """End the tree, and whoever of its group has lost a parent."""
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def get(self, path: str, timeout: float = 2.0) -> int:
        """Return the status of a GET, 0 when nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.http, timeout=timeout)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


@contextlib.contextmanager
def started(peer: Peer, model: Model, core: int) -> Iterator[Server]:
    """Start a server on its core and wait until it says that it is ready; end it whatever happens."""
    scratch = places.LOGS / f"{peer.name}-{model}"
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "log"
    ports = Ports(*_free(3))
    launch = peer.start(Setup(places.MODELS / model, scratch, ports))
    # The kernel ends the server with this process, even when nothing here gets the chance to.
    pinned = ("setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(core), str(peer.python))
    env = {
        "PATH": f"{peer.python.parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        **SILENT,
        **ONE_THREAD,
        **launch.env,
    }
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            (*pinned, *launch.arguments),
            env=env,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for this process, which then ends them
        )
    server = Server(peer, model, ports, process, log)
    try:
        while server.get(peer.ready) != 200:
            if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                ended = f"ended with {process.returncode}" if process.poll() is not None else "is not ready"
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise ServerError(f"{peer.name} with {model} {ended}: {''.join(last)[:300]} (all of it: {log})")
            time.sleep(0.02)
        server.ready_seconds = time.perf_counter() - began
        yield server
    finally:
        server.stop()


def _fields(stat: Path) -> list[str]:
    """Return the fields after the command's name, which may have spaces in it."""
    return stat.read_text().rpartition(")")[2].split()


def _free(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
