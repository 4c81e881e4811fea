"""Journeys of the operator into the past: what it reads is as of one revision, until the time is over.

Its own Lease is read from the present, for an apiserver asks the store itself for that: an operator that saw an old
one would do nothing at all. Writes go to the present too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from campaign.asked import Asked
from campaign.replies import failure

Body = dict[str, Any]

PRESENT = frozenset({"leases"})
READS = frozenset({"get", "list", "watch"})


class Past(Protocol):
    """Who remembers how all objects were."""

    async def list_at(
        self, resource: str, namespace: str | None, label_selector: str, field_selector: str, revision: int
    ) -> Body:
        """Return the List that a question would have got at a revision."""

    async def get_at(self, resource: str, namespace: str | None, name: str, revision: int) -> Body | None:
        """Return an object as it was at a revision; none if it was not there."""


class Journeys:
    """The one that is to come, and the one that is under way."""

    def __init__(self, past: Past | None) -> None:
        self._past = past
        self._booked: tuple[int, float] | None = None
        self._revision = 0
        self._until = 0.0

    def book(self, revision: int, seconds: float) -> None:
        """Let the operator's next process begin in the past."""
        assert self._past is not None, "a plan that travels needs somebody who remembers"
        self._booked = (revision, seconds)

    def depart(self) -> None:
        """A process begins; in the past, if that is booked."""
        if self._booked is not None:
            self._revision, seconds = self._booked
            self._until = time.monotonic() + seconds
            self._booked = None

    def covers(self, asked: Asked) -> bool:
        """Tell whether a request is answered from the past."""
        return self.left() > 0 and asked.verb in READS and asked.resource not in PRESENT and "/" not in asked.resource

    def left(self) -> float:
        """Return for how many seconds more the operator is in the past."""
        return self._until - time.monotonic()

    async def answer(self, asked: Asked, query: Mapping[str, str]) -> tuple[int, Body]:
        """Return what a GET or LIST would have got: the code and the body."""
        assert self._past is not None
        where = asked.namespace or None
        if asked.verb == "list":
            labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
            return 200, await self._past.list_at(asked.resource, where, labels, fields, self._revision)
        found = await self._past.get_at(asked.resource, where, asked.name, self._revision)
        if found is None:
            return 404, failure(404, f'{asked.resource} "{asked.name}" not found', asked)
        return 200, found


def revision_before(before: Body | None, after: Body | None, seen: int) -> int:
    """Return the store's revision just before a write; `seen` was the newest one before it was sent.

    Revisions count all writes of the store, and an object bears the one of its last write.
    """
    then, now = (((body or {}).get("metadata") or {}).get("resourceVersion") for body in (before, after))
    return int(now) - 1 if now is not None and now != then else seen
