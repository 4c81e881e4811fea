"""One line at the bottom of a terminal: what goes on, and for how long. What others write goes above it, the log dim.

Where nobody looks (a pipe, a file) there is no such line.
"""

import functools
import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

_EVERY = 0.1
_SIGNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ERASE = "\r\x1b[K"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Status:
    """Use as a context; `say` is asked for the words ten times a second."""

    def __init__(self, say: Callable[[], str]) -> None:
        self._say = say
        self._stream = sys.stderr
        self._shows = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="status", daemon=True)

    def __enter__(self) -> "Status":
        if self._shows:
            self._streams = sys.stdout, sys.stderr
            plain = bool(os.environ.get("NO_COLOR"))
            sys.stdout = _Above(sys.stdout, self._erased, ("", ""))
            sys.stderr = _Above(sys.stderr, self._erased, ("", "") if plain else (_DIM, _PLAIN))
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shows:
            self._over.set()
            self._thread.join()
            self._erased(lambda: None)
            sys.stdout, sys.stderr = self._streams

    def _draw(self) -> None:
        began = time.monotonic()
        for sign in itertools.cycle(_SIGNS):
            line = f"{sign} {fitting(self._say(), time.monotonic() - began, shutil.get_terminal_size().columns - 3)}"
            self._erased(functools.partial(self._stream.write, line))
            if self._over.wait(_EVERY):
                return

    def _erased(self, then: Callable[[], Any]) -> None:
        with self._lock:
            self._stream.write(_ERASE)
            then()
            self._stream.flush()


class _Above:
    """A stream whose text goes above the line: like the other, but that it takes the line away before."""

    def __init__(self, stream: TextIO, erased: Callable[[Callable[[], Any]], None], ink: tuple[str, str]) -> None:
        self._stream = stream
        self._erased = erased
        self._before, self._after = ink

    def write(self, text: str) -> int:
        self._erased(functools.partial(self._pass, text))
        return len(text)

    def _pass(self, text: str) -> None:
        self._stream.write(f"{self._before}{text}{self._after}")
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def fitting(words: str, seconds: float, width: int) -> str:
    """The words and the time in so many columns: what is too long is cut in its middle, where paths say least."""
    time_taken = f" {seconds:.0f} s" if seconds >= 1 else ""
    room = max(8, width - len(time_taken))
    if len(words) > room:
        words = f"{words[: room // 2 - 1]}…{words[len(words) - (room - room // 2) :]}"
    return words + time_taken
