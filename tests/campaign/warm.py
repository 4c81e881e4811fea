"""Operator processes that start in a moment: each is forked from one interpreter that has imported everything.

A fork is a process like any other: it has its own memory, is killed by SIGKILL and knows nothing of the one before.
What it spares is a second and a half of imports a start, which thousands of plans would pay. The parent speaks JSON
lines: `{"environment": {...}, "log": path}` in, `{"started": pid}` and `{"ended": pid, "code": n}` out.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Nursery:
    """The driver's end: starts operators, and hears of their end."""

    def __init__(self, operator: Path) -> None:
        self._operator = operator
        self._process: asyncio.subprocess.Process | None = None
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._lock = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        paths = os.pathsep.join(str(part) for part in (self._operator, ROOT / "tests"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FERRYMAN_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "campaign.warm",
            env={**environment, "PYTHONPATH": paths},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read(), name="nursery")

    async def close(self) -> None:
        """End every operator that still runs, and the interpreter that they came from."""
        for pid, ended in self._ended.items():
            if not ended.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    async def start(self, environment: dict[str, str], log: Path) -> int:
        """Start an operator; return its process id."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._lock:
            wish = {"environment": environment, "log": str(log)}
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            await self._process.stdin.drain()
            return await self._started.get()

    def ended(self, pid: int) -> asyncio.Future[int]:
        """Return the exit code, when there is one; negative for a signal."""
        return self._ended.setdefault(pid, asyncio.get_running_loop().create_future())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "started" in said:
                self._ended.setdefault(said["started"], asyncio.get_running_loop().create_future())
                self._started.put_nowait(said["started"])
            else:
                ended = self.ended(said["ended"])
                if not ended.done():
                    ended.set_result(said["code"])


def _child(wish: dict[str, Any]) -> None:
    """Become an operator; never returns."""
    try:
        log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, number)
        for each in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.environ.update(wish["environment"])
        from kubernetes.aio.config import kube_config as later  # noqa: PLC0415
        from kubernetes.config import kube_config  # noqa: PLC0415

        from ferryman.__main__ import main  # noqa: PLC0415 imported by the parent already

        for module in (kube_config, later):  # they read the variable when they are imported
            module.KUBE_CONFIG_DEFAULT_LOCATION = os.environ["KUBECONFIG"]

        main()
    except BaseException:  # noqa: BLE001 into the log, as an interpreter would
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(70)


def serve() -> None:
    """Fork operators until the driver is gone."""
    import ferryman.__main__  # noqa: F401, PLC0415 what is imported here is in every child

    gc.collect()
    gc.freeze()  # what a child never touches stays shared

    heard, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with open(0, "rb", buffering=0) as wishes:
        import select  # noqa: PLC0415

        rest = b""
        while True:
            ready, _, _ = select.select([0, heard], [], [])
            if heard in ready:
                os.read(heard, 512)
                _reap()
            if 0 in ready:
                chunk = wishes.read(65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    wish = json.loads(line)
                    pid = os.fork()
                    if pid == 0:
                        _child(wish)
                    _say({"started": pid})


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    serve()
