"""One worker, as its parent knows it: the process, what it was given, what it has said."""

import enum
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ferryman_server import settings as contract
from ferryman_server.reason import FatalError
from ferryman_server.workers.board import Board, Cell
from ferryman_server.workers.channel import USED, Channel, Kind, Message
from ferryman_server.workers.plan import Height
from ferryman_server.workers.said import Ready, Start

_TICKS = os.sysconf("SC_CLK_TCK")
_PARTED = 1 << 20
OPEN = {Kind.REST: (Cell.REST_OPEN, Cell.REST_CAME), Kind.GRPC: (Cell.GRPC_OPEN, Cell.GRPC_CAME)}
_PART = {Kind.REST: Kind.PART_REST, Kind.GRPC: Kind.PART_GRPC}


class Phase(enum.Enum):
    """A worker goes through these once, in this order."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


class Given(NamedTuple):
    """A connection on its way to a worker; `used` if another has heard its client already."""

    kind: Kind
    connection: socket.socket
    used: bool = False


class Worker:
    """From its start to its end."""

    def __init__(
        self, board: Board, row: int, settings: contract.Settings, threads: int, examples: Path | None = None
    ) -> None:
        self.row = row
        self.phase = Phase.STARTING
        self.ready: Ready | None = None
        self.failure: FatalError | None = None
        self.since = time.monotonic()
        self._cells = board.rows[row]
        self._given = {Kind.REST: 0, Kind.GRPC: 0}
        self._on_its_way: deque[Given] = deque()
        self._cpu = 0.0
        self.channel, theirs = Channel.pair()
        with theirs:
            command = [sys.executable, "-m", "ferryman_server.workers.hand", str(theirs.fileno())]
            env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            process = subprocess.Popen(
                command,
                env=env,
                pass_fds=(theirs.fileno(), board.descriptor),
                process_group=0,  # a terminal's Ctrl-C is the parent's to hear
            )
        self.pid = process.pid
        process.returncode = 0  # the parent waits for all its children, and this object must not
        start = Start(settings, row, len(board.rows), board.descriptor, threads, os.getpid(), examples)
        self.channel.send(Message(Kind.SETTINGS, pickle.dumps(start)))

    # --- connections ---

    def give(self, given: Given) -> bool:
        """False if it does not take any now. It is kept here until it has arrived there."""
        said = USED if given.used else b""
        if not self.channel.send(Message(given.kind, said, given.connection.fileno())):
            return False
        self._given[given.kind] += 1
        self._on_its_way.append(given)
        return True

    def taken(self) -> None:
        """The oldest has arrived."""
        self._on_its_way.popleft().connection.close()

    def undelivered(self) -> list[Given]:
        """What it never saw, once it has ended."""
        never, self._on_its_way = list(self._on_its_way), deque()
        return never

    def connections(self, kind: Kind) -> int:
        """How many it has: those it had when it last told, and those given since."""
        had, came = OPEN[kind]
        return int(self._cells[had]) + self._given[kind] - int(self._cells[came])

    def part(self, kind: Kind, count: int) -> None:
        """Have it give up so many."""
        self.channel.send(Message(_PART[kind], str(count).encode()))

    def part_all(self) -> None:
        """Have it give up all, as soon as they can be."""
        for kind in _PART:
            self.part(kind, _PARTED)

    # --- the process ---

    def tell_to_stop(self) -> None:
        """Once: unready, and answer on. Twice: finish."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """At once."""
        os.kill(self.pid, signal.SIGKILL)

    def silence(self, now: float) -> float:
        """Seconds since its event loop last ran."""
        return now - (self._cells[Cell.BEAT] or now)

    def share(self, seconds: float) -> float:
        """Cores that it kept busy in the last so many seconds."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:  # it has ended
            return 0.0
        spent = (int(fields[11]) + int(fields[12])) / _TICKS
        before, self._cpu = self._cpu, spent
        return (spent - before) / seconds

    def height(self) -> Height:
        """The most memory that it has taken so far."""
        helpers = self.ready.helpers if self.ready else 0
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return Height(0, helpers)
        told = dict(line.split(":", 1) for line in status.splitlines())
        return Height(int(told.get("VmHWM", "0 kB").split()[0]) * 1024, helpers)


def of(workers: Mapping[int, Worker], phase: Phase) -> list[Worker]:
    """Those that are in one phase of their lives."""
    return [worker for worker in workers.values() if worker.phase is phase]
