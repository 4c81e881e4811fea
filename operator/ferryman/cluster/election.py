"""Who may act, as one candidate can know it: what it saw in the Lease, and since when, by its own clock.

Pure: every time is given, and is this candidate's own monotonic one. The times that stand *in* the Lease are for
people; clocks of two machines are never compared. A holder counts from the moment in which it sent a renewal that
succeeded, which is before anybody can have seen it; the others count from the moment in which they saw it. So the
holder always ends first.
"""

from __future__ import annotations

from dataclasses import dataclass

DURATION = 15.0
"""How long a candidate has to see the Lease unchanged before it takes it from its holder."""

DEADLINE = 10.0
"""How long after it sent its last successful renewal the holder goes on writing; then others wait for 5 s more."""

RENEW = 5.0
"""How long after one renewal the holder sends the next."""

NOBODY = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What the Lease says."""

    holder: str
    version: str
    duration: float = DURATION


class Election:
    """One candidate, from its start to its end. It holds the Lease at most once: who lost it begins anew."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._seen: Record | None = None
        self._since: float | None = None
        self._sent: float | None = None
        self._over = False

    @property
    def seen(self) -> Record | None:
        """Return what the Lease said when it was last seen; None if there was none."""
        return self._seen

    def saw(self, record: Record | None, now: float) -> None:
        """Take in what the Lease says."""
        first = self._since is None
        if record != self._seen or first:
            # One that was never there is nobody's; one that somebody deleted may have a holder who does not know yet.
            self._since = float("-inf") if first and record is None else now
            self._seen = record

    def may_claim(self, now: float) -> bool:
        """Nobody else can be acting any more, by what this candidate saw."""
        if self._over or self._since is None:
            return False
        if self._seen is not None and self._seen.holder in {NOBODY, self.identity}:
            return True
        longest = max(DURATION, self._seen.duration if self._seen is not None else 0.0)
        return now - self._since >= longest

    def won(self, record: Record, sent: float, now: float) -> None:
        """Take in that a claim, or a renewal, that was sent then has succeeded."""
        self.saw(record, now)
        self._sent = sent

    def left(self, now: float) -> float:
        """Return for how many more seconds this candidate may surely write; nothing if it does not hold the Lease."""
        if self._over or self._sent is None:
            return 0.0
        return max(0.0, self._sent + DEADLINE - now)

    def due(self, now: float) -> float:
        """Return in how many seconds the holder is to renew."""
        return max(0.0, self._sent + RENEW - now) if self._sent is not None else 0.0

    def taken(self) -> str | None:
        """Return who else holds the Lease, if somebody does."""
        holder = self._seen.holder if self._seen is not None else NOBODY
        return holder if holder not in {NOBODY, self.identity} else None

    def end(self) -> None:
        """Hold nothing from now on, and claim nothing."""
        self._over = True
