"""What one look has come to know of its object, and the only way in which it writes the object's status."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import errors, status
from ferryman.cluster.client import Client
from ferryman.cluster.queue import Key
from ferryman.cluster.setback import Setback

REWORD = timedelta(seconds=60)
"""A setback whose words change with every attempt is not written anew with every attempt."""

CONFESS_SECONDS = 10.0


@dataclass(slots=True)
class Look:
    """One look at one object."""

    client: Client
    began: datetime
    meta: ObjectMeta | None = None
    status: ModelDeploymentStatus = field(default_factory=ModelDeploymentStatus)
    """The status as it stands now."""
    confirmed: bool = False
    """The apiserver has taken a status from this look, so the object was as it was read."""

    def found(self, meta: ObjectMeta, standing: ModelDeploymentStatus) -> None:
        """Take down what was read."""
        self.meta, self.status = meta, standing

    async def record(self, fresh: ModelDeploymentStatus) -> bool:
        """Write the status if it says something new; tell whether it did."""
        if fresh == self.status:
            return False
        await self._write(fresh)
        return True

    async def confirm(self) -> None:
        """See that the status still stands as it was read: nothing may follow from one that was wiped or is outdated.

        The record that was written in this look has seen that already.
        """
        if not self.confirmed:
            await self._write(self.status)

    async def _write(self, fresh: ModelDeploymentStatus) -> None:
        assert self.meta is not None
        try:
            self.meta = await status.write(self.client, self.meta, fresh)
        except errors.NotFound as error:
            raise errors.Vanished(error.verb, error.kind, error.namespace, error.name, error.detail) from error
        self.status, self.confirmed = fresh, True

    async def confess(self, bad: Setback, now: datetime) -> bool:
        """Tell in the status why the look failed, if the status can be written; tell whether that is news."""
        if self.meta is None:
            return False
        with contextlib.suppress(errors.ClusterError, TimeoutError):
            async with asyncio.timeout(CONFESS_SECONDS):
                return await self.record(bad.on(self.status, self.meta.generation, now))
        return False


@dataclass(frozen=True, slots=True)
class Failing:
    """Which objects' looks have failed in a row, since when, and when that was last put into words."""

    since: dict[Key, datetime] = field(default_factory=dict)
    worded: dict[Key, datetime] = field(default_factory=dict)

    def ended(self, key: Key) -> None:
        """Forget an object: a look at it went through whole, or there is nothing more to look at."""
        self.since.pop(key, None)
        self.worded.pop(key, None)

    def due(self, key: Key, look: Look, bad: Setback, now: datetime) -> bool:
        """Tell whether it is time to tell in the object's status why a look failed, and take that down."""
        began = self.since.setdefault(key, look.began)
        if look.meta is None or now - began < timedelta(seconds=bad.patience):
            return False
        worded = self.worded.get(key)
        if worded is not None and now - worded < REWORD and bad.stands(look.status, look.meta.generation):
            return False
        self.worded[key] = now
        return True
