"""Polls for a condition with a deadline: the only way that the local cluster waits."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float, every: float = 0.1) -> bool:
    """Whether the condition held before the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
