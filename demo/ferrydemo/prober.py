"""A client that never stops asking: real predictions at a steady rate, each one counted.

The requests are sent by a process of its own (`client.py`), so that nothing the caller does delays them; this side
reads what it wrote. Every request of the schedule is accounted for: one that has not been answered in time is waited
for, and a record that has a hole is an error, never a pass.

    with Prober(url, host, rows) as prober:
        since = prober.mark()
        ...
        window = prober.window(since)
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ferrydemo import answer, patience
from ferrydemo.answer import Answer, Window

RATE = 50.0
MOST_SECONDS = 15 * 60.0
SETTLE_SECONDS = 8.0
"""Longer than a request may take: by then each one has been answered or has failed."""


class ProberError(Exception):
    """The prober itself failed, so that nothing can be said of the requests."""


class Prober:
    """Predictions through the gateway at a steady rate, from when it is entered until it is left."""

    def __init__(
        self,
        url: str,
        host: str,
        rows: list[list[float]],
        record: Path,
        *,
        rate: float = RATE,
        most_seconds: float = MOST_SECONDS,
    ) -> None:
        self._rows = rows
        self._order = {
            "url": url,
            "host": host,
            "payload": self.payload,
            "rate": rate,
            "seconds": most_seconds,
        }
        self._record = record
        self._rate = rate
        self._started = 0.0
        self._ended: float | None = None
        self._offset = 0
        self._answers: dict[int, Answer] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        with self._record.open("wb") as record:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ferrydemo.client", json.dumps(self._order)],
                stdin=subprocess.DEVNULL,
                stdout=record,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
            )
        patience.until("the prober to start", self._has_started, 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, wait for what is under way, end."""
        process, self._process = self._process, None
        if process is None:
            return
        self._ended = time.time()
        process.terminate()
        try:
            process.wait(SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def is_asking(self) -> bool:
        """Tell whether requests are being sent."""
        return self._process is not None

    @property
    def payload(self) -> dict[str, list[list[float]]]:
        """Return what every request carries."""
        return {"instances": self._rows}

    def mark(self) -> float:
        """Return now, to measure from."""
        return time.time()

    def window(self, since: float | None = None, until: float | None = None) -> Window:
        """Add up every request that was due between two moments, once each of them is answered."""
        since = self._started if since is None else max(since, self._started)
        until = (self._ended or time.time()) if until is None else until
        first = math.ceil((since - self._started) * self._rate)
        last = math.ceil((until - self._started) * self._rate)
        numbers = range(first, last)
        if self._process is None:  # it ended between two requests
            self._read()
            numbers = range(first, min(last, max(self._answers, default=0) + 1))
        self._await(lambda: all(number in self._answers for number in numbers))
        return answer.window((self._answers[number] for number in numbers), until - since)

    def after(self, since: float) -> list[Answer]:
        """Return the answers that are known so far of the requests that were due after a moment, in order."""
        self._read()
        first = math.ceil((since - self._started) * self._rate)
        return [self._answers[number] for number in sorted(self._answers) if number >= first]

    def _await(self, complete: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            self._read()
            if complete():
                return
            if self._process is not None and self._process.poll() is not None:
                raise ProberError(f"the prober ended by itself, see {self._record}")
            if time.monotonic() > deadline:
                raise ProberError(f"the prober did not keep its schedule, see {self._record}")
            time.sleep(0.05)

    def _has_started(self) -> bool:
        self._read()
        return self._started > 0

    def _read(self) -> None:
        """Take in what the client has written since the last look."""
        with self._record.open("rb") as record:
            record.seek(self._offset)
            content = record.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith("# "):
                self._started = float(line.split()[1])
            elif line[:1].isdigit():
                read = Answer.read(line)
                self._answers[read.number] = read
            else:
                raise ProberError(f"the prober said: {line}; see {self._record}")
