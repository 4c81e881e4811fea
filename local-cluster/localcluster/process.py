"""Daemons: started apart from whoever starts them, found again by a mark in their environment, ended for sure.

There are no pid files, because a kill between a start and a note of it would lose the process. Each daemon carries
the cluster's folder, its own name and a digest of how it was started; /proc tells who lives.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import signal
import time
from collections.abc import Callable, Iterable, Mapping

from localcluster import errors

OWNER = "FERRYMAN_CLUSTER"
NAME = "FERRYMAN_CLUSTER_COMPONENT"
DIGEST = "FERRYMAN_CLUSTER_DIGEST"


@dataclasses.dataclass(frozen=True, slots=True)
class Daemon:
    """How a component is started, and how one sees that it serves."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: tuple[pathlib.Path, ...] = ()  # files that it reads at its start: a change restarts it

    def digest(self) -> str:
        """What tells a process of this daemon from one that was started otherwise."""
        program = pathlib.Path(self.argv[0]).stat()
        told = repr((self.argv, sorted(self.env.items()), program.st_size, program.st_mtime_ns))
        digest = hashlib.sha256(told.encode())
        for file in self.inputs:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A live process that carries a cluster's mark; a daemon's children (shims) carry it too."""

    pid: int
    name: str
    digest: str
    program: str


def running(owner: pathlib.Path) -> list[Running]:
    """All live processes of the cluster in this folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            pairs = (entry / "environ").read_bytes().split(b"\0")
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
        except OSError:
            continue  # it ended, or is the kernel's, or another user's
        told = (pair.decode(errors="replace") for pair in pairs if pair.startswith(OWNER.encode()))
        marks = dict(pair.partition("=")[::2] for pair in told)
        if marks.get(OWNER) == str(owner):
            found.append(Running(int(entry.name), marks.get(NAME, ""), marks.get(DIGEST, ""), program))
    return found


def ensure(daemon: Daemon, owner: pathlib.Path, log: pathlib.Path, seconds: float = 60) -> bool:
    """Adopt the daemon where it runs as wanted and serves, else (re)start it; True where it was started."""
    wanted = daemon.digest()
    program = pathlib.Path(daemon.argv[0]).resolve().name
    mine = [r for r in running(owner) if r.name == daemon.name and r.program == program]
    if [r.digest for r in mine] == [wanted] and _serves(daemon, mine[0].pid, log, min(seconds, 10)):
        return False
    end([r.pid for r in mine], grace=2.0)
    pid = _start(daemon, owner, log, wanted)
    if not _serves(daemon, pid, log, seconds):
        raise errors.ClusterError(f"{daemon.name} does not serve after {seconds:.0f} s; see {log}\n{tail(log)}")
    return True


def end(pids: Iterable[int], grace: float = 5.0) -> None:
    """Ask the processes to end, insist where one does not, and return when all are gone."""
    left = set(pids)
    for kind, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        deadline = time.monotonic() + seconds
        while (left := {pid for pid in left if alive(pid)}) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not left:
            return


def alive(pid: int) -> bool:
    """Whether the process still runs; a child of ours that ended is reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    process = pathlib.Path(f"/proc/{pid}")
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
            return True
        return len(list((process / "task").iterdir())) > 1  # its other threads may hold its port for a moment longer
    except OSError:
        return False


def tail(log: pathlib.Path, lines: int = 8) -> str:
    """The log's last lines, indented."""
    with contextlib.suppress(OSError):
        return "\n".join(f"  {line[:300]}" for line in log.read_text(errors="replace").splitlines()[-lines:])
    return "  (no log)"


def _start(daemon: Daemon, owner: pathlib.Path, log: pathlib.Path, digest: str) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    marks = {OWNER: str(owner), NAME: daemon.name, DIGEST: digest}
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        daemon.argv[0],
        daemon.argv,
        os.environ | dict(daemon.env) | marks,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _serves(daemon: Daemon, pid: int, log: pathlib.Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive(pid):
            raise errors.ClusterError(f"{daemon.name} ended by itself; see {log}\n{tail(log)}")
        if _bears_its_mark(pid) and daemon.ready():
            return True
        time.sleep(0.1)
    return False


def _bears_its_mark(pid: int) -> bool:
    """Whether /proc shows the environment yet; for a moment after a process began, it shows none."""
    with contextlib.suppress(OSError):
        return bool(pathlib.Path(f"/proc/{pid}/environ").read_bytes())
    return False
