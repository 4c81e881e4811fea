"""Who is hit: counts requests and events against a plan, the same way in every run of it."""

from __future__ import annotations

import random

from campaign import faults
from campaign.asked import Asked


class Aim:
    """One fault of a plan, and what it has hit so far."""

    def __init__(self, fault: faults.Fault, chance: random.Random) -> None:
        self.fault = fault
        self.chance = chance
        self.struck = False
        """Whether it had an effect: another fault may have come first at what it hit."""
        self._matched = 0
        self._hits = 0
        self._since: float | None = None

    def takes(self, now: float) -> bool:
        """Count one more that matches; tell whether it is hit."""
        on = self.fault.on
        self._matched += 1
        beyond = self._matched - on.first
        if beyond < 0 or (on.count is not None and self._hits >= on.count):
            return False
        if isinstance(on, faults.Requests) and not self._falls(on, beyond, now):
            return False
        self._hits += 1
        self._since = now if self._since is None else self._since
        return True

    def _falls(self, on: faults.Requests, beyond: int, now: float) -> bool:
        over = on.seconds is not None and self._since is not None and now - self._since > on.seconds
        if over or beyond % on.every:
            return False
        return on.probability >= 1.0 or self.chance.random() < on.probability


class Aims:
    """All faults of a plan."""

    def __init__(self, plan: faults.Plan) -> None:
        self._all = [
            Aim(fault, random.Random(f"{plan.seed}/{number}"))  # each its own, so that none shifts another's
            for number, fault in enumerate(plan.faults)
        ]

    def at_request(self, asked: Asked, life: int, now: float) -> list[Aim]:
        """Return those that hit a request, in the order of the plan."""
        return [
            aim
            for aim in self._all
            if isinstance(aim.fault.on, faults.Requests) and _meets(aim.fault.on, asked, life) and aim.takes(now)
        ]

    def at_event(self, kind: str, resource: str, name: str, life: int, now: float) -> list[Aim]:
        """Return those that hit an event, in the order of the plan."""
        return [
            aim
            for aim in self._all
            if isinstance(aim.fault.on, faults.Events)
            and aim.fault.on.type in {None, kind}
            and aim.fault.on.resource in {None, resource}
            and aim.fault.on.name in {None, name}
            and aim.fault.on.life in {None, life}
            and aim.takes(now)
        ]

    def unfinished(self) -> list[faults.Fault]:
        """Return the faults that have had no effect yet."""
        return [aim.fault for aim in self._all if not aim.struck]


def _meets(on: faults.Requests, asked: Asked, life: int) -> bool:
    return (
        on.verb in {None, asked.verb}
        and (not on.writes or (asked.writes and asked.resource != "leases"))
        and on.resource in {None, asked.resource}
        and on.name in {None, asked.name}
        and on.life in {None, life}
    )
