"""What a run was asked for, and how it tells what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.server.cases import Case, Cell
from benchmarks.server.machine import Cores
from benchmarks.server.peers import Peer
from benchmarks.server.stats import Slice


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for."""

    peers: list[Peer]
    cases: list[Case]
    rounds: int
    seconds: float
    cores: Cores
    extras: bool
    """Whether to measure a lone request and liveness, too."""


@dataclass(slots=True)
class Screen:
    """What the run tells while it goes; the caller draws it."""

    say: Callable[[str], None]
    expect: Callable[[int], None]
    """So many slices more."""
    now: Callable[[str], None]
    done: Callable[[Cell, Slice], None]
