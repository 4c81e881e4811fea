"""An event loop whose clock jumps instead of waiting: hours of backoff in a millisecond, the same at each run.

What threads do takes no time at all: the clock stands still for as long as the loop waits for one.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")

MOMENT = 1e-9
"""No clock stands still while one waits: a sum of waits may lack the last digit of the time that it is to reach."""


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.in_threads = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(None if self.in_threads and timeout != 0 else 0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing will ever happen"
            self.now += max(timeout, MOMENT)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        self._virtual.in_threads += 1
        done = super().run_in_executor(executor, func, *args)
        done.add_done_callback(self._back)
        return done

    def _back(self, _: asyncio.Future[Any]) -> None:
        self._virtual.in_threads -= 1


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
