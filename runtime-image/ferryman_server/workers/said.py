"""What parent and worker tell each other once, pickled: both are the same program, and nobody else hears it."""

from dataclasses import dataclass
from pathlib import Path

from ferryman_server import settings as contract


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker must know."""

    settings: contract.Settings
    row: int
    rows: int
    board: int
    """The board's descriptor."""
    threads: int
    parent: int
    examples: Path | None = None
    """Where a person sits before it: the directory for a request that is too long to show."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What it says when its model answers: which runtime does, and the most that its helpers took of memory."""

    runtime: str
    helpers: int
