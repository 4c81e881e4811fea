"""Somebody at a terminal hears of a server's life: what went wrong, and an end without waiting."""

import asyncio
import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ferryman_server import reason

if TYPE_CHECKING:  # it brings NumPy, which a parent of workers does without
    from ferryman_server.serving import Serving

PATIENCE = 1.0
"""Seconds for what is being answered when Ctrl-C comes; whoever presses it wants the prompt."""


class Terminal:
    """Somebody who looks at it (audience.Audience); what a model has to say they hear from its worker."""

    def __init__(self) -> None:
        self.failure: reason.FatalError | None = None

    def loading(self, serving: "Serving") -> AbstractContextManager[object]:
        """The log says it."""
        del serving
        return nullcontext()

    def ready(self, serving: "Serving") -> None:
        """The worker greets."""

    def told(self) -> None:
        """Who presses Ctrl-C does not wait for long."""
        asyncio.get_running_loop().call_later(PATIENCE, os._exit, 0)

    def failed(self, error: reason.FatalError) -> None:
        """It is said by whoever started this."""
        self.failure = error

    def stopped(self) -> None:
        """They see it."""
