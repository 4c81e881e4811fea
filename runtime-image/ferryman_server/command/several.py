"""Several workers at a person's terminal: the first one greets, and Ctrl-C ends them all."""

from pathlib import Path

from ferryman_server import memory, threads
from ferryman_server import settings as contract
from ferryman_server.command.terminal import Terminal
from ferryman_server.workers import parent, plan


def live(settings: contract.Settings, examples: Path) -> int:
    """From the start to Ctrl-C; the exit code, or why there was no start."""
    terminal = Terminal()
    wish = plan.wish(settings.workers, threads.granted(), threads.allowed(settings.cpu_request), gpu=False)
    code = parent.live(settings, wish, memory.room, audience=terminal, examples=examples)
    if terminal.failure:
        raise terminal.failure
    return code
