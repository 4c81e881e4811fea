"""The connections of one port, where more come than it bears: those that rested longest go, for those who ask."""

import time
from typing import Protocol

_SHARE = 16
"""Which part goes at a time, so that one look makes room for many."""
_LULL = 0.1
"""Seconds in which nobody is looked for again after all were found at work: a look at thousands takes its time."""


class Member(Protocol):
    """One connection."""

    @property
    def rested(self) -> float | None:
        """For how long nothing has been on its way, in whatever unit; None while something is."""

    def go(self) -> None:
        """Make room, as kindly as the protocol can."""

    def turn_away(self) -> None:
        """There is none: say so to who has just come."""


class Crowd:
    """Belongs to one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: set[Member] = set()
        self._not_before = 0.0

    def came(self, member: Member) -> None:
        """One more; somebody else may have to go for it, or it goes itself."""
        if len(self._members) >= self._most and not self._relieve():
            member.turn_away()
        else:
            self._members.add(member)

    def went(self, member: Member) -> None:
        """One less."""
        self._members.discard(member)

    def _relieve(self) -> bool:
        if time.monotonic() < self._not_before:
            return False
        resting = [(rested, member) for member in self._members if (rested := member.rested) is not None]
        resting.sort(key=lambda one: one[0], reverse=True)
        for _, member in resting[: max(1, self._most // _SHARE)]:
            self._members.discard(member)
            member.go()
        if not resting:
            self._not_before = time.monotonic() + _LULL
        return bool(resting)
