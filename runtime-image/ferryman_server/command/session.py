"""A server's life at a person's terminal: it shows that it loads, greets when it is ready, and leaves when told."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path

import uvloop

from ferryman_server import life, threads
from ferryman_server import settings as contract
from ferryman_server.command import greeting, status
from ferryman_server.command.terminal import Terminal
from ferryman_server.serving import Phase, Serving

_DOING = {Phase.LOADING: "Loading", Phase.WARMING: "Warming up"}


class Person(Terminal):
    """Somebody who looks at a terminal, on which one process writes."""

    def __init__(self, examples: Path) -> None:
        super().__init__()
        self._examples = examples

    def loading(self, serving: Serving) -> AbstractContextManager[object]:
        """A line that says what takes so long."""
        name = serving.settings.model_name
        return status.Status(lambda: f"{_DOING.get(serving.phase, 'Stopping')} {name}")

    def ready(self, serving: Serving) -> None:
        """How to ask."""
        if serving.ready:
            print(greeting.text(serving, self._examples), end="", flush=True)


def live(settings: contract.Settings, examples: Path) -> int:
    """From the start to Ctrl-C; the exit code, or why there was no start."""
    person = Person(examples)

    async def whole() -> int:
        return await life.Life(settings, threads.allowed(settings.cpu_request), audience=person).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(whole())
    if person.failure:
        raise person.failure
    return code
