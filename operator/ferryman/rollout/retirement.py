"""How a revision leaves: the route first, then the wait, then the pods.

A revision's clock starts when neither the route nor the front Service is seen to name it any more, and starts anew if
one does again. Its children are rendered until the drain delay has passed, and removed after that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ferryman.api.status import Retiring, Revision
from ferryman.observed import Observed
from ferryman.rollout.record import Record


def aged(record: Record, observed: Observed, now: datetime) -> Record:
    """Start the clocks of revisions that were unrouted, stop those of revisions that are routed, drop those gone."""
    staying = tuple(
        leaving.model_copy(update={"unrouted_since": _unrouted_since(leaving, observed, now)})
        for leaving in record.retiring
        if not _gone(leaving, observed)
    )
    return replace(record, retiring=staying)


def drained(leaving: Retiring, now: datetime, drain: timedelta) -> bool:
    """Tell whether a revision has been without traffic for the drain delay, so that its pods may go."""
    return leaving.unrouted_since is not None and now - leaving.unrouted_since >= drain


def kept(record: Record, now: datetime, drain: timedelta) -> tuple[Revision, ...]:
    """Return the revisions whose children are to stay."""
    gone = {leaving.revision.revision for leaving in record.retiring if drained(leaving, now, drain)}
    return tuple(revision for revision in record.revisions() if revision.revision not in gone)


def next_drained(record: Record, now: datetime, drain: timedelta) -> float | None:
    """Return in how many seconds the next revision will have drained; None when none is waiting for the clock."""
    waits = [
        (leaving.unrouted_since + drain - now).total_seconds()
        for leaving in record.retiring
        if leaving.unrouted_since is not None
    ]
    return min((max(wait, 0.0) for wait in waits), default=None)


def _unrouted_since(leaving: Retiring, observed: Observed, now: datetime) -> datetime | None:
    name = leaving.revision.revision
    routed = observed.front == name or (observed.route is not None and observed.route.names(name))
    return None if routed else leaving.unrouted_since or now


def _gone(leaving: Retiring, observed: Observed) -> bool:
    backend = observed.backend(leaving.revision.revision)
    return leaving.unrouted_since is not None and not backend.deployed and not backend.addressed
