"""The story of a pod with several workers: start, watch, replace, drain, stop.

It knows nothing of models and protocols, and imports neither NumPy nor uvloop: it should be small, and never die.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ferryman_server import audience as audiences
from ferryman_server import log, reason
from ferryman_server import settings as contract
from ferryman_server.memory import Room
from ferryman_server.workers import crew, plan
from ferryman_server.workers.board import Board, Pod
from ferryman_server.workers.channel import USED, Kind
from ferryman_server.workers.crew import Given, Phase, Worker
from ferryman_server.workers.gate import Gate
from ferryman_server.workers.said import Ready

_TICK = 0.5
_BUSY_FOR = 6
"""Looks in a row at which every worker must have been busy."""
_EVEN = 1.0
"""Seconds between two looks at who has how many connections."""
_SILENT = 35.0
"""Seconds without a sign of life; a kubelet would have ended a pod by then."""
_STEADY = 60.0
"""Seconds after which a worker's death is not the last one's doing."""
_FINISH = 40.0
"""More than the workers' own patience with their last requests."""


class Parent:
    """One pod."""

    def __init__(
        self,
        settings: contract.Settings,
        wish: plan.Wish,
        room: Callable[[], Room],
        *,
        audience: audiences.Audience | None = None,
        examples: Path | None = None,
    ) -> None:
        self._settings = settings
        self._audience = audience or audiences.Kubelet(settings)
        self._examples = examples
        self._wish = wish
        self._room = room
        self._board = Board.new(wish.workers)
        self._told = self._board.rows[0]
        self._workers: dict[int, Worker] = {}
        self._target = wish.workers if wish.asked else 1
        self._highest = plan.Height(0)
        self._runtime = ""
        self._deaths = 0
        self._not_before = 0.0
        self._obstacle = ""
        self._ever = False
        self._busy = 0
        self._looked = self._evened = 0.0
        self._gate = Gate(settings, self._workers)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._changed = asyncio.Event()
        self._code: int | None = None

    async def run(self) -> int:
        """Serve until told to stop, or until nobody is left; the exit code."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled)
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
        try:
            self._gate.open()
        except reason.FatalError as error:
            self._audience.failed(error)
            return 1
        self._told[Pod.WANTED] = self._wish.workers
        # Whatever ends all of us at once leaves nobody to say why: so it is said before.
        reason.publish(audiences.sudden_end(self._settings.model_name), self._settings.termination_log)
        self._start(1)
        self._gate.listen(now=True)
        while self._code is None and not self._stopping.is_set():
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _TICK)
            self._look()
        if self._code is None:
            await self._drain()
        log.line(f"All workers have ended, exit code {self._code}")
        return self._code or 0

    def _signalled(self) -> None:
        self._audience.told()
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()
        self._gate.closing = True
        self._changed.set()

    # --- workers ---

    def _serving(self) -> list[Worker]:
        return crew.of(self._workers, Phase.READY)

    def _start(self, row: int) -> None:
        first = not self._ever and not self._wish.asked
        threads = self._wish.cores if first else self._wish.threads
        settings = replace(self._settings, termination_log=Path(os.devnull))  # the last words are the parent's
        examples = None if self._ever else self._examples
        self._ever = True
        worker = self._workers[row] = Worker(self._board, row, settings, threads, examples)
        self._loop.add_reader(worker.channel, self._hear, worker)

    def _hear(self, worker: Worker) -> None:
        try:
            while (message := worker.channel.receive()) is not None:
                match message.kind:
                    case Kind.TAKEN:
                        worker.taken()
                    case Kind.REST if message.descriptor >= 0:  # the kernel drops one for which there is no room
                        back = socket.socket(fileno=message.descriptor)
                        self._gate.deal(Given(Kind.REST, back, used=message.body == USED))
                    case Kind.READY:
                        self._ready(worker, pickle.loads(message.body))  # noqa: S301 - our own
                    case Kind.FAILED:
                        worker.failure = reason.FatalError(*pickle.loads(message.body))  # noqa: S301 - our own
                    case _:
                        pass
        except BlockingIOError:
            pass
        else:
            self._loop.remove_reader(worker.channel)
        self._gate.deal_held()

    def _ready(self, worker: Worker, ready: Ready) -> None:
        worker.ready = ready
        if self._stopping.is_set():
            return
        self._runtime = self._runtime or ready.runtime
        if ready.runtime != self._runtime:
            log.line(f"Worker {worker.row} has its model as {ready.runtime}, the others as {self._runtime}: it goes")
            worker.kill()
            return
        worker.phase, worker.since = Phase.READY, time.monotonic()
        reason.publish(audiences.crash(self._settings.model_name), self._settings.termination_log)
        self._changed.set()

    def _reap(self) -> None:
        """Wait for all that has ended: as the first process of a container it gets others' children, too."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                for worker in [one for one in self._workers.values() if one.pid == pid]:
                    self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        self._hear(worker)  # its last words
        del self._workers[worker.row]
        self._board.bury(worker.row)
        self._loop.remove_reader(worker.channel)
        worker.channel.close()
        self._changed.set()
        if not self._stopping.is_set() and worker.phase is not Phase.LEAVING:
            self._died(worker, code)
        for given in worker.undelivered():
            self._gate.deal(given)

    def _died(self, worker: Worker, code: int) -> None:
        cause = worker.failure or self._cause(worker, code)
        self._told[Pod.REPLACED] += 1
        if not self._serving() and not crew.of(self._workers, Phase.STARTING):
            self._audience.failed(cause)
            self._code = 128 - code if code < 0 else code or 1
            return
        steady = worker.phase is Phase.READY and time.monotonic() - worker.since > _STEADY
        self._deaths = 1 if steady else self._deaths + 1
        wait = plan.wait(self._deaths)
        self._not_before = time.monotonic() + wait
        log.line(f"{cause.message} Another takes its place{f' in {wait:.0f} s' if wait else ''}; the rest serve on")

    def _cause(self, worker: Worker, code: int) -> reason.FatalError:
        if worker.phase is Phase.STARTING:
            return audiences.sudden_end(self._settings.model_name)
        return audiences.crash(self._settings.model_name, f"worker {worker.row}", code)

    # --- every half second, and when something has happened ---

    def _look(self) -> None:
        serving = self._serving()
        self._told[Pod.READY] = len(serving)
        self._told[Pod.UNACCEPTED] = self._gate.short
        now = time.monotonic()
        for worker in serving:
            height = worker.height()
            self._highest = plan.Height(
                max(height.own, self._highest.own), max(height.helpers, self._highest.helpers)
            )
            if worker.silence(now) > _SILENT:
                log.line(f"Worker {worker.row} has not stirred for {_SILENT:.0f} s: it is ended")
                worker.kill()
        self._gate.deal_held()
        if now - self._evened >= _EVEN:
            self._evened = now
            self._gate.even_out()
        if self._wish.workers > 1:
            with contextlib.suppress(OSError):  # for want of open files nothing can be read or started: later, then
                self._fit(serving, now)

    def _fit(self, serving: list[Worker], now: float) -> None:
        """As many as there is work and memory for, one after another."""
        room = self._room()
        if plan.tight(room) and len(serving) > 1:
            self._retire(max(serving, key=lambda worker: worker.since), room)
            return
        if not serving or len(self._workers) >= self._wish.workers or len(serving) != len(self._workers):
            return
        if len(serving) >= self._target and not self._overworked(serving, now):
            return
        obstacle = plan.obstacle(room, self._highest, len(serving), self._settings.cache_bytes)
        self._told[Pod.SHORT] = bool(obstacle)
        if obstacle and not self._obstacle:
            log.line(f"{len(serving)} of {self._wish.workers} workers: no room for another, {obstacle}")
        self._obstacle = obstacle
        if not obstacle and now >= self._not_before:
            self._target = max(self._target, len(serving) + 1)
            self._start(min(set(range(1, self._wish.workers + 1)) - set(self._workers)))

    def _overworked(self, serving: list[Worker], now: float) -> bool:
        """Looked at once in half a second, however often something happens."""
        elapsed = now - self._looked
        if elapsed < _TICK * 0.9:
            return False
        self._looked = now
        busy = plan.busy([worker.share(elapsed) for worker in serving], self._wish.cores)
        self._busy = self._busy + 1 if busy else 0
        return self._busy >= _BUSY_FOR

    def _retire(self, worker: Worker, room: Room) -> None:
        log.line(f"Memory runs out ({room.left >> 20} MiB are left): worker {worker.row} gives its own back")
        self._target = max(1, len(self._serving()) - 1)
        worker.phase = Phase.LEAVING
        worker.part_all()
        self._loop.call_later(self._settings.drain_seconds, self._dismiss, worker)

    def _dismiss(self, worker: Worker) -> None:
        """Its connections have had the time to go."""
        if self._workers.get(worker.row) is worker:
            worker.tell_to_stop()
            self._loop.call_later(1.0, self._dismiss, worker)

    # --- the end ---

    async def _drain(self) -> None:
        """All unready at once; connections are taken as long as the mesh may send some; then all finish."""
        self._told[Pod.READY] = 0
        seconds = self._settings.drain_seconds
        log.line(f"Told to stop: {len(self._workers)} workers are unready, and answer for {seconds} s more")
        for worker in self._workers.values():
            worker.tell_to_stop()
        if self._serving():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), seconds)
        self._gate.close()
        for worker in self._workers.values():
            worker.tell_to_stop()
        deadline = time.monotonic() + _FINISH
        while self._workers:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _TICK)
            if time.monotonic() > deadline:
                for worker in self._workers.values():
                    worker.kill()
        self._audience.stopped()
        self._code = 0


def live(
    settings: contract.Settings,
    wish: plan.Wish,
    room: Callable[[], Room],
    *,
    audience: audiences.Audience | None = None,
    examples: Path | None = None,
) -> int:
    """From the start to the end of the pod; the exit code."""

    async def whole() -> int:
        return await Parent(settings, wish, room, audience=audience, examples=examples).run()

    return asyncio.run(whole())
