"""Random walks in real time, to try the explorer itself: each state on the way must be one that it has seen.

The explorer sees clocks by their thresholds only. A walk lets the clock run by seconds and fractions of them, so a
state that only real time can reach would show up here as unknown.
"""

from __future__ import annotations

import contextlib
import random

from pure import canonical
from pure.explorer import Explorer
from pure.simulation import KilledError

SECONDS = (0.3, 1, 4, 9.9, 10, 11, 29, 31, 59, 60, 61, 299, 601)


def walk(explorer: Explorer, seed: int, steps: int) -> int:
    """Walk at random through an explored world; return how many states were met, each of them a known one."""
    dice, cluster = random.Random(seed), explorer.world.begin()
    for step in range(steps):
        happenings = [happening for event in explorer.world.events for happening in event(cluster)]
        match dice.choice(["event", "event", "look", "look", "look", "die", "wait", "ready"]):
            case "event" if happenings:
                cluster = dice.choice(happenings)[1]
            case "look":
                cluster.reconcile()
            case "die" if explorer.world.crashes:
                with contextlib.suppress(KilledError):
                    cluster.reconcile(die_after=dice.randrange(12))
            case "wait":
                cluster.wait(dice.choice(SECONDS))
            case _:
                cluster.ready()
        cluster.wait(0.001)
        cluster.children = dict(sorted(cluster.children.items()))
        where = f"walk {seed} is at step {step} in a state of {explorer.world.name} that was not explored"
        assert explorer.knows(cluster), f"{where}: {canonical.key(cluster)}"
    return steps
