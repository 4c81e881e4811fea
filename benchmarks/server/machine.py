"""The machine under the benchmark: its cores, what it is, how fast it is just now."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WORK = 150_000


@dataclass(frozen=True, slots=True)
class Cores:
    """One for the server, one for the load."""

    server: int
    load: int


class MachineError(Exception):
    """The benchmark cannot be run here."""


def cores() -> Cores:
    """Return two of the cores that this process may use: the first for the load, the last for the server."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise MachineError("The benchmark needs two cores: one for the server, one for the load.")
    return Cores(server=allowed[-1], load=allowed[0])


@contextmanager
def on(core: int) -> Iterator[None]:
    """Run on one core, and go back."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def calibrate(core: int) -> float:
    """Return the seconds that a fixed piece of work takes on a core now: the median of five."""
    with on(core):
        taken = sorted(_work() for _ in range(5))
    return taken[2]


def _work() -> float:
    began = time.perf_counter()
    total, table = 0, list(range(64))
    for at in range(WORK):
        total += table[at & 63] ^ at
    return time.perf_counter() - began


def steal() -> tuple[float, float]:
    """Return the processor time that others took from this virtual machine, and all of it, in ticks since boot."""
    ticks = [float(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


def facts() -> dict[str, str]:
    """Return what a reader must know of the machine to believe a figure."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processor": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{int(memory.split()[1]) / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-', maxsplit=1)[0]}",
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}",
    }
