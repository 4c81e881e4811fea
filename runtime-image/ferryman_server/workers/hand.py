"""`python -m ferryman_server.workers.hand`: one worker, from the parent's first message to its end."""

import asyncio
import ctypes
import os
import pickle
import resource
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferryman_server import log, reason, threads
from ferryman_server.workers.board import Board
from ferryman_server.workers.channel import Channel, Kind, Message
from ferryman_server.workers.said import Ready, Start

if TYPE_CHECKING:  # it brings NumPy, which a parent of workers does without
    from ferryman_server.serving import Serving

_PR_SET_PDEATHSIG = 1
_KIBIBYTE = 1024
_SURE = 10


class Parent:
    """Hears how the worker does (audience.Audience)."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def loading(self, serving: "Serving") -> AbstractContextManager[object]:
        """The parent sees it."""
        del serving
        return nullcontext()

    def ready(self, serving: "Serving") -> None:
        """From now on connections may come."""
        if serving.plane is None or not serving.ready:
            return
        model = serving.plane.model
        runtime = f"{model.optimization.runtime} {model.optimization.precision}" if model.optimization else ""
        helpers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _KIBIBYTE
        self._channel.send(Message(Kind.READY, pickle.dumps(Ready(f"{model.platform} {runtime}".strip(), helpers))))

    def told(self) -> None:
        """It was the parent who did."""

    def failed(self, error: reason.FatalError) -> None:
        """The parent knows whether the pod ends of it."""
        log.line(str(error))
        self._channel.send(Message(Kind.FAILED, pickle.dumps((error.reason, error.message[:4000]))))

    def stopped(self) -> None:
        """It sees it."""


class Greeting(Parent):
    """The same, with a person before it."""

    def __init__(self, channel: Channel, examples: Path) -> None:
        super().__init__(channel)
        self._examples = examples

    def ready(self, serving: "Serving") -> None:
        """And how to ask."""
        super().ready(serving)
        from ferryman_server.command import greeting  # noqa: PLC0415 - a pod has no need of it

        if serving.ready:
            print(greeting.text(serving, self._examples), end="", flush=True)


def main(end: int) -> int:
    """Live as the parent wishes; the exit code."""
    channel = Channel(socket.socket(fileno=end))
    told = channel.receive()
    if told is None:
        return 1
    start: Start = pickle.loads(told.body)  # noqa: S301 - the parent's
    # A worker without a parent gets no connections and is replaced by nobody, however stuck it may be.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != start.parent:
        return 1
    log.speaker = f"worker {start.row}: "
    threads.limit(os.environ, start.threads)
    return _live(channel, start)


def _live(channel: Channel, start: Start) -> int:
    import uvloop  # noqa: PLC0415 - after the thread limits

    from ferryman_server import life  # noqa: PLC0415 - this imports NumPy
    from ferryman_server.workers import handed, numbers  # noqa: PLC0415 - and this

    board = Board(start.board, start.rows)
    # The parent says when the draining is over; this is for the case that it does not.
    settings = replace(start.settings, drain_seconds=start.settings.drain_seconds + _SURE)

    async def whole() -> int:
        one = life.Life(
            settings,
            start.threads,
            doors=handed.Handed(channel, board.rows[start.row]),
            audience=Greeting(channel, start.examples) if start.examples else Parent(channel),
            numbers=numbers.Shared(board, start.row),
        )
        one.measures.registry.register(numbers.PodMetrics(one.measures.identity, board))
        return await one.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


if __name__ == "__main__":
    code = main(int(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
