"""Explores a part of the small world breadth first, until there is no state left that was not seen.

In each state everything that can happen does: the user's and the cluster's events, each clock's passing its next
threshold, a look of the operator that is carried out whole, and one that dies after each of its writes. The shortest
way to every state is kept, so that a promise that breaks is shown as a sequence of calls.
"""

from __future__ import annotations

import gc
import hashlib
import marshal
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pure import canonical, clocks, contract
from pure.simulation import Cluster
from pure.small_world import World

INSTANT = 0.001
"""What passes from one look to the next, in seconds: two of them are never at the same time."""

NOWHERE = -1
"""Where a look leads that breaks a promise."""


@dataclass
class Found:
    """What an exploration saw."""

    world: str
    states: int = 0
    transitions: int = 0
    looks: int = 0
    depth: int = 0
    longest: int = 0
    """Most steps from any state to rest when nothing but time, pods and looks happens any more."""
    resting: int = 0
    seconds: float = 0.0
    ended: bool = False
    faults: list[str] = field(default_factory=list)


@dataclass
class _Graph:
    """What is kept of each state by its number: the way to it, and where it goes by itself."""

    came: array[int] = field(default_factory=lambda: array("l"))
    by: list[str] = field(default_factory=list)
    looked: dict[int, int] = field(default_factory=dict)
    onward: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def way(self, state: int) -> list[str]:
        calls = []
        while state > 0:
            calls.append(self.by[state])
            state = self.came[state]
        return calls[::-1]


class Explorer:
    """One exploration of one world."""

    def __init__(self, world: World, most: int | None = None, faults: int = 5) -> None:
        self.world, self.most, self.faults = world, most, faults
        self.found, self.graph = Found(world.name), _Graph()
        self.numbers: dict[bytes, int] = {}
        self.wakes: dict[int, float | None] = {}
        self.quiet: dict[int, list[tuple[int, float]]] = {}
        self.next: list[tuple[int, Cluster]] = []

    def run(self, told: Callable[[Found, int], None] = lambda found, left: None) -> Found:
        """Explore until the frontier is empty, or until so many states were seen or faults found."""
        began = time.monotonic()
        gc.disable()  # millions of values that stay, and no circles among them
        self._number(self.world.begin(), -1, "")
        while self.next and not self._over():
            frontier, self.next = self.next, []
            self.found.depth += 1
            while frontier and not self._over():
                state, cluster = frontier.pop()
                self._visit(state, cluster)
                if state % 500 == 0:
                    self.found.seconds = time.monotonic() - began
                    told(self.found, len(frontier) + len(self.next))
            if frontier:
                self.next += frontier
        self.found.ended = not self.next
        if self.found.ended and not self.found.faults:
            self._check_wakes()
            self._check_rest()
        gc.enable()
        self.found.seconds = time.monotonic() - began
        return self.found

    def knows(self, cluster: Cluster) -> bool:
        """Tell whether a state was seen."""
        return _digest(cluster) in self.numbers

    def _over(self) -> bool:
        return len(self.found.faults) >= self.faults or (self.most is not None and self.found.states >= self.most)

    def _number(self, cluster: Cluster, came: int, by: str) -> int:
        digest = _digest(cluster)
        known = self.numbers.get(digest)
        if known is not None:
            return known
        number = self.numbers[digest] = len(self.numbers)
        self.graph.came.append(came)
        self.graph.by.append(by)
        self.next.append((number, cluster))
        self.found.states += 1
        return number

    def _visit(self, state: int, cluster: Cluster) -> None:
        canonical.strictest(cluster)
        for event in self.world.events:
            for call, after in event(cluster):
                self._step(state, call, after)
        waits = [self._step(state, call, after) for call, after, _ in self._passing(cluster)]
        onward = list(waits)
        ready = canonical.double(cluster)
        ready.ready()
        onward.append(self._step(state, "cluster.ready()", ready))
        looked, after = self._look(state, cluster)
        self.graph.looked[state] = looked
        self.graph.onward[state] = tuple(each for each in {*onward, looked} - {NOWHERE, state})
        if looked == state:
            self._check_quiet(state, after, waits)

    def _step(self, state: int, call: str, after: Cluster) -> int:
        self.found.transitions += 1
        return self._number(after, state, call)

    @staticmethod
    def _passing(cluster: Cluster) -> Iterator[tuple[str, Cluster, float]]:
        for clock in clocks.waiting(cluster):
            twin = canonical.double(cluster)
            clock.passed(twin)
            left = clock.left.total_seconds()
            yield f"{clock.name} passes after {left:g} s", twin, left

    def _look(self, state: int, cluster: Cluster) -> tuple[int, Cluster]:
        """Look once; carry it out write by write, each of which may be the last."""
        after = canonical.double(cluster)
        after.wait(INSTANT)
        try:
            look = after.look()
            self.found.looks += 1
            for count, write in enumerate(after.writes_of(look)):
                if count and self.world.crashes:
                    self._step(state, f"cluster.reconcile(die_after={count})", after)
                    after = canonical.double(after)
                if not after.land(write):
                    break
        except AssertionError as broken:
            self._fault(state, "cluster.reconcile()", str(broken))
            return NOWHERE, after
        after.notices.clear()
        self.wakes[state] = look.plan.wake_after
        return self._step(state, "cluster.reconcile()", after), after

    def _check_quiet(self, state: int, again: Cluster, waits: list[int]) -> None:
        """In a state that a look leaves as it is: a second look writes nothing, and whoever waits says until when."""
        lefts = [left for _, _, left in self._passing(again)]
        self.quiet[state] = list(zip(waits, lefts, strict=True))
        try:
            writes = again.writes
            again.reconcile()
            assert again.writes == writes, "a look writes although nothing changed"
            if not self.graph.onward[state]:
                self.found.resting += 1
                if not again.broken:
                    contract.at_rest(again)
        except AssertionError as broken:
            self._fault(state, "at rest", str(broken))

    def _check_wakes(self) -> None:
        """Where time alone makes something due, the look before has said that it wants to look again by then."""
        for state, waits in self.quiet.items():
            for due, left in waits:
                wake = self.wakes.get(state)
                if self.graph.looked[due] != due and (wake is None or wake > left + INSTANT):
                    self._fault(state, f"{left:g} s pass", f"something is due after {left:g} s, and it sleeps {wake}")

    def _fault(self, state: int, call: str, broken: str) -> None:
        if not any(fault.startswith(broken) for fault in self.found.faults):
            self.found.faults.append("\n  ".join([broken, *self.graph.way(state), call]))

    def _check_rest(self) -> None:
        """From every state, whatever the order of time, pods and looks, there is an end."""
        onward, steps = self.graph.onward, dict[int, int]()
        for start in onward:
            path, under_way = [start], set[int]()
            while path:
                state = path[-1]
                left = [each for each in onward[state] if each not in steps]
                if state in steps or not left:
                    steps.setdefault(state, 1 + max((steps[each] for each in onward[state]), default=-1))
                    under_way.discard(state)
                    path.pop()
                    continue
                under_way.add(state)
                if left[0] in under_way:
                    self._fault(state, "time, pods and looks only", "it comes round to where it was")
                    return
                path.append(left[0])
        self.found.longest = max(steps.values(), default=0)


def _digest(cluster: Cluster) -> bytes:
    return hashlib.blake2b(marshal.dumps(canonical.key(cluster), 0), digest_size=16).digest()
