"""Very many random days, for `make prove`: test_every_order.py in chunks, with a seed for each."""

from __future__ import annotations

import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

CHUNK = 2000
"""Examples in one run of Hypothesis, each with a seed of its own, so that a failure can be had again."""


class Days:
    """Random days, lived in chunks by as many hands as there are processors."""

    def __init__(self, root: Path, examples: int, minutes: float = math.inf) -> None:
        """Live so many days, or as many as begin in so many minutes."""
        self._root, self._seconds = root, minutes * 60
        self.examples, self.done, self.faults = examples, 0, list[str]()
        self._chunks: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        for number, begin in enumerate(range(0, examples, CHUNK)):
            self._chunks.put((number, min(CHUNK, examples - begin)))
        self._began = time.monotonic()
        self._hands: list[threading.Thread] = []

    def help(self) -> None:
        """Put one more processor to the work."""
        self._hands.append(threading.Thread(target=self._live))
        self._hands[-1].start()

    def lived(self, say: Callable[..., None]) -> tuple[int, float]:
        """Wait for the last of them; return how many there were and how long it took."""
        while any(hand.is_alive() for hand in self._hands):
            self._hands[-1].join(timeout=2)
            for hand in self._hands:
                hand.join(timeout=0.1)
            say(f"random days: {self.done:,} of {self.examples:,}, {time.monotonic() - self._began:.0f} s")
        if self.faults:
            raise SystemExit("\n\n".join(self.faults))
        took = time.monotonic() - self._began
        say(f"random days: {self.done:,}, {took:.0f} s", last=True)
        return self.done, took

    def _live(self) -> None:
        while not self.faults and time.monotonic() - self._began < self._seconds:
            try:
                number, many = self._chunks.get_nowait()
            except queue.Empty:
                return
            seed = f"--hypothesis-seed={number}"
            run = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                seed,
                "tests/pure/test_every_order.py",
            ]
            so_many = {**os.environ, "FERRYMAN_EXAMPLES": str(many)}
            tried = subprocess.run(run, cwd=self._root, env=so_many, capture_output=True, text=True, check=False)
            if tried.returncode:
                self.faults.append(f"{tried.stdout}\n{seed} with FERRYMAN_EXAMPLES={many}")
            self.done += many
