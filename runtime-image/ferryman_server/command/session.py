"""A server's life at a person's terminal: it shows that it loads, greets when it is ready, and leaves when told."""

import asyncio
import os
from pathlib import Path

import uvloop

from ferryman_server import life, reason, threads
from ferryman_server import settings as contract
from ferryman_server.command import greeting, status
from ferryman_server.dataplane import worker
from ferryman_server.serving import Phase

_PATIENCE = 1.0
"""Seconds for what is being answered when Ctrl-C comes; whoever presses it wants the prompt."""
_DOING = {Phase.LOADING: "Loading", Phase.WARMING: "Warming up"}


class Session(life.Life):
    """One run, with a person before it."""

    def __init__(self, settings: contract.Settings, cpus: int, examples: Path) -> None:
        super().__init__(settings, cpus)
        self._examples = examples
        self.failure: reason.FatalError | None = None

    async def _start(self, model_thread: worker.Worker) -> None:
        name, serving = self._settings.model_name, self._serving
        with status.Status(lambda: f"{_DOING.get(serving.phase, 'Stopping')} {name}"):
            await super()._start(model_thread)
        if serving.ready:
            print(greeting.text(serving, self._examples), end="", flush=True)

    def _gone(self, error: reason.FatalError) -> int:
        self.failure = error
        return 1

    def _signalled(self) -> None:
        asyncio.get_running_loop().call_later(_PATIENCE, os._exit, 0)
        super()._signalled()


def live(settings: contract.Settings, examples: Path) -> int:
    """From the start to Ctrl-C; the exit code, or why there was no start."""

    async def whole() -> int:
        session = Session(settings, threads.allowed(), examples)
        code = await session.run()
        if session.failure:
            raise session.failure
        return code

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())
