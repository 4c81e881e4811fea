"""Waiting for a condition, with a deadline and a sentence for when it passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.2


class OutOfPatienceError(Exception):
    """A condition did not come true in time."""


def until(what: str, condition: Callable[[], T], seconds: float, last_words: Callable[[], str] = str) -> T:
    """Return the condition's value once it is true; raise with the sentence when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise OutOfPatienceError(f"waited {seconds:.0f} s for {what}. {last_words()}".rstrip())
        time.sleep(POLL_SECONDS)
