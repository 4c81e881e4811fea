"""A line every few seconds while bytes arrive, for whoever watches `kubectl logs`.

It looks at the directory rather than hooking into each client, so every source shows progress alike.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ferryman_server import log
from ferryman_server.fetch import digest

_EVERY = 3.0

Expect = Callable[[int], None]
"""Hears how many bytes there will be in all, once that is known."""


def unexpected(_: int) -> None:
    """Take in nothing: nobody watches."""


class Progress:
    """Use as a context around a download."""

    def __init__(self, what: str, directory: Path) -> None:
        self._what = what
        self._directory = directory
        self._total = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def expect(self, total: int) -> None:
        """Take in how many bytes there will be."""
        self._total = total

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._done.wait(_EVERY):
            try:
                here = sum(digest.files(self._directory).values())
            except OSError:  # a file moved while we counted: the next round will see it
                continue
            log.line(f"Fetching {self._what}: {told(here, self._total, time.monotonic() - began)}")


def told(here: int, total: int, seconds: float) -> str:
    """How far a download has come: of how much, and how long the rest will take, where that is known."""
    if not 0 < here <= total:
        return f"{size(here)} after {seconds:.0f} s"
    left = seconds * (total - here) / here
    return f"{size(here)} of {size(total)} ({here / total:.0%}) after {seconds:.0f} s, about {left:.0f} s left"


def size(count: float) -> str:
    """Bytes as people write them."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
