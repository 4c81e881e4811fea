"""How many workers a pod gets, and when: decisions over numbers, without a look at the machine.

A second worker is a second copy of the model. So nobody gets one by default before the first is busy: by then it has
shown what it takes of memory with real requests, which no guess from an idle one can tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ferryman_server.memory import Room

_BUSY = 0.75
"""The part of a core from which a worker counts as busy."""
_FREE = 0.5
"""The part of a core that must be idle: where the model's own threads take all, another worker takes from them."""
_MEBIBYTE = 1 << 20
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How many workers at most, on how many cores, and whether somebody named the number."""

    workers: int
    cores: int
    asked: bool = False

    @property
    def threads(self) -> int:
        """The native threads of one worker among all."""
        return max(1, self.cores // self.workers)


@dataclass(frozen=True, slots=True)
class Height:
    """The most memory that a worker has taken, in bytes; that of the processes it starts while it loads."""

    own: int
    helpers: int = 0


def wish(asked: int, granted: float | None, cores: int, *, gpu: bool) -> Wish:
    """By default one for each whole core of the CPU limit: cores without a limit are not the pod's alone."""
    if asked:
        return Wish(asked, cores, asked=True)
    if granted is None or gpu:  # what is left of a GPU's memory is not known here
        return Wish(1, cores)
    return Wish(max(1, math.floor(granted)), cores)


def obstacle(room: Room, highest: Height, running: int, remembered: int) -> str:
    """Why the memory has no room for another worker; empty where it has. `remembered` is what a cache may grow to.

    All of them together, each at the height of the highest, must leave a third of the limit to what requests bring.
    """
    each = highest.own + remembered
    together = (running + 1) * each
    most = room.limit * 2 // 3
    if together > most:
        return (
            f"{running + 1} of them could take {_mib(together)} MiB (the largest took {_mib(highest.own)} so far), "
            f"and two thirds of the memory limit are {_mib(most)}"
        )
    starting = highest.own + highest.helpers
    spared = room.limit // 10
    if starting > room.left - spared:
        return (
            f"starting another takes up to {_mib(starting)} MiB, and only {_mib(room.left)} are left "
            f"below the memory limit of {_mib(room.limit)}"
        )
    return ""


def tight(room: Room) -> bool:
    """Whether memory runs out, so that a worker should give its own back."""
    return room.left < room.limit // 10


def busy(shares: Sequence[float], cores: int) -> bool:
    """Whether another worker would help: every one keeps its core busy, and there is a core that is not."""
    return all(share >= _BUSY for share in shares) and sum(shares) <= cores - _FREE


def wait(deaths: int) -> float:
    """Seconds before a worker is replaced, after so many deaths in a row."""
    return 0.0 if deaths <= 1 else min(_LONGEST_WAIT, 2.0 ** (deaths - 2))


def _mib(count: int) -> int:
    return count // _MEBIBYTE
