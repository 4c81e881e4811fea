"""How a revision leaves: the route first, then the wait, then the pods.

A revision's clock starts when neither the route nor the front Service is seen to name it any more, and starts anew if
one does again. Its children are rendered until the drain delay has passed. Then one that leaves for good is removed,
and one that was stable is kept, scaled to zero, after its time on standby.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ferryman.api.revision import Retiring, Revision
from ferryman.observed import Observed
from ferryman.rollout.record import Record


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the pods of a revision that lost its role stay after the route was seen without it."""

    drain: timedelta
    standby: timedelta = timedelta(0)
    history: int = 0
    """How many revisions that were stable are kept."""

    @property
    def warm(self) -> timedelta:
        """Return how long the pods of a revision of the history stay."""
        return max(self.drain, self.standby)


def aged(record: Record, observed: Observed, now: datetime, delays: Delays) -> Record:
    """Start the clocks of revisions that were unrouted, stop those of revisions that are routed, drop those gone."""
    active = {each.revision for each in record.active()}
    staying = [each for each in record.retiring if not _gone(each, observed)]
    kept = [each for each in record.history if not _forgotten(each, observed, now, delays)]
    beyond = [each for each in kept[delays.history :] if each.revision.revision not in active]
    kept = [each for each in kept if each not in beyond]
    return replace(
        record,
        retiring=tuple(_ticking(each, observed, now) for each in (*staying, *beyond)),
        history=tuple(
            each.model_copy(update={"unrouted_since": None})
            if each.revision.revision in active
            else _ticking(each, observed, now)
            for each in kept
        ),
    )


def drained(leaving: Retiring, now: datetime, drain: timedelta) -> bool:
    """Tell whether a revision has been without traffic for the drain delay, so that its pods may go."""
    return leaving.unrouted_since is not None and now - leaving.unrouted_since >= drain


def cold(record: Record, now: datetime, delays: Delays) -> frozenset[str]:
    """Return the revisions of the history whose pods may go."""
    return frozenset(each.revision.revision for each in record.history if drained(each, now, delays.warm))


def kept(record: Record, now: datetime, delays: Delays) -> tuple[Revision, ...]:
    """Return the revisions whose children are to stay."""
    gone = {each.revision.revision for each in record.retiring if drained(each, now, delays.drain)}
    return tuple(revision for revision in record.revisions() if revision.revision not in gone)


def next_end(record: Record, now: datetime, delays: Delays) -> datetime | None:
    """Return when the next revision's pods may go; None when none is waiting for the clock."""
    ends = [each.unrouted_since + delays.drain for each in record.retiring if each.unrouted_since is not None]
    ends += [each.unrouted_since + delays.warm for each in record.history if each.unrouted_since is not None]
    still = [end for end in ends if end > now]
    # one whose time has come and whose pods are still there is looked at again when they go
    return min(still, default=None)


def _ticking(each: Retiring, observed: Observed, now: datetime) -> Retiring:
    name, since = each.revision.revision, each.unrouted_since
    routed = observed.front == name or (observed.route is not None and observed.route.names(name))
    if routed:
        return each if since is None else each.model_copy(update={"unrouted_since": None})
    if since is not None and since <= now:
        return each
    return each.model_copy(update={"unrouted_since": now})


def _gone(leaving: Retiring, observed: Observed) -> bool:
    backend = observed.backend(leaving.revision.revision)
    return leaving.unrouted_since is not None and not backend.deployed and not backend.addressed


def _forgotten(each: Retiring, observed: Observed, now: datetime, delays: Delays) -> bool:
    """Somebody deleted the Deployment of a revision that was kept without pods: they want it gone."""
    return drained(each, now, delays.warm) and not observed.backend(each.revision.revision).deployed
