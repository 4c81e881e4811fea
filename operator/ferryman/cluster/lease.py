"""The Lease, by which one of several operators acts while the others wait. `election` decides.

Every write of it is made onto the version that was seen, so that of two candidates one wins. It has a connection of
its own: requests of the work that hang must not keep it from being renewed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client
from ferryman.cluster.election import DURATION, NOBODY, Election, Record

LOOK_SECONDS = 1.0
"""How often a candidate looks at the Lease: a released one is taken this soon."""

ASK_SECONDS = 3.0
"""How long one request may take: so a holder can fail once and still renew in time."""

AGAIN_SECONDS = 0.5
RELEASE_SECONDS = 2.0

log = logging.getLogger(__name__)

Body = dict[str, Any]


class NotHeld(errors.ClusterError):
    """Another operator may be acting by now: nothing more is written."""


def since_boot() -> float:
    """Return the time by a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def identity() -> str:
    """Return a name that no other process has, nor this one after its next start."""
    return f"{platform.node()}_{uuid.uuid4()}"


class Lease:
    """One operator's part in the election."""

    def __init__(
        self, client: Client, namespace: str, name: str, *, me: str, clock: Callable[[], float] = since_boot
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._election = Election(me)
        self._body: Body | None = None

    def guard(self) -> None:
        """Raise unless this operator surely is the one that acts."""
        if self._election.left(self._clock()) <= 0:
            raise NotHeld("write by", kinds.LEASE.name, self._namespace, self._name, "it is not surely held any more")

    async def acquire(self) -> None:
        """Stand by until the Lease can be had, and have it."""
        told: str | None = None
        while True:
            if await self._tried(self._look) and self._election.may_claim(self._clock()) and await self._claimed():
                log.info("acting, as the holder of Lease %s/%s", self._namespace, self._name)
                return
            holder = self._election.taken()
            if holder != told and holder is not None:
                log.info("standing by; Lease %s/%s is held by %s", self._namespace, self._name, holder)
            told = holder
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311 to spread, not to hide

    async def keep(self) -> str:
        """Renew the Lease; return why it can be kept no longer."""
        while True:
            await asyncio.sleep(self._election.due(self._clock()))
            while self._election.left(self._clock()) > 0 and not await self._claimed():
                # Somebody may have touched the Lease, or this very renewal succeeded and its answer was lost.
                await self._tried(self._look)
                if (holder := self._election.taken()) is not None:
                    self._election.end()
                    return f"{holder} has taken it"
                await asyncio.sleep(AGAIN_SECONDS)
            if self._election.left(self._clock()) <= 0:
                self._election.end()
                return "it could not be renewed in time"

    async def release(self) -> None:
        """Write no more, and leave the Lease to whoever comes first. All that writes has to have ended before."""
        held = self._election.left(self._clock()) > 0
        self._election.end()
        if held and self._body is not None:
            spec = {**self._body["spec"], "holderIdentity": NOBODY, "renewTime": _now()}
            with contextlib.suppress(errors.ClusterError, TimeoutError):  # then it runs out
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._client.replace(kinds.LEASE, {**self._body, "spec": spec})

    async def _tried(self, ask: Callable[[], Awaitable[None]]) -> bool:
        """Ask the apiserver, for a short time; tell whether it answered well."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await ask()
        except (errors.ClusterError, TimeoutError) as error:
            if not isinstance(error, errors.Conflict):
                log.warning("Lease %s/%s: %s", self._namespace, self._name, str(error) or "no answer in time")
            return False
        return True

    async def _look(self) -> None:
        try:
            body = await self._client.get(kinds.LEASE, self._namespace, self._name)
        except errors.NotFound:
            self._take_in(None)
        else:
            self._take_in(body)

    async def _claimed(self) -> bool:
        """Write ourselves into the Lease as it was last seen; tell whether that succeeded."""
        return await self._tried(self._claim)

    async def _claim(self) -> None:
        sent = self._clock()
        body = _claimed(self._body, self._namespace, self._name, self._election.identity)
        write = self._client.create if self._body is None else self._client.replace
        self._body = await write(kinds.LEASE, body)
        self._election.won(_record(self._body), sent, self._clock())

    def _take_in(self, body: Body | None) -> None:
        self._body = body
        self._election.saw(_record(body) if body is not None else None, self._clock())


class Alone:
    """The part of an operator that knows that there is no other."""

    guard = None

    async def acquire(self) -> None:
        """Act at once."""

    async def keep(self) -> str:
        """Act for ever."""
        await asyncio.Event().wait()
        return ""

    async def release(self) -> None:
        """Leave nothing behind."""


def _claimed(body: Body | None, namespace: str, name: str, me: str) -> Body:
    """Return the Lease with ourselves as the holder; whatever else it says stays."""
    now = _now()
    spec: Body = (body or {}).get("spec") or {}
    ours = {"holderIdentity": me, "leaseDurationSeconds": int(DURATION), "renewTime": now}
    if spec.get("holderIdentity") != me:
        ours |= {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (body is not None)}
    metadata = body["metadata"] if body is not None else {"namespace": namespace, "name": name}
    kind = kinds.LEASE
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": {**spec, **ours}}


def _record(body: Body) -> Record:
    spec = body.get("spec") or {}
    duration = float(spec.get("leaseDurationSeconds") or DURATION)
    return Record(spec.get("holderIdentity") or NOBODY, body["metadata"]["resourceVersion"], duration)


def _now() -> str:
    """Return the wall clock's time, for people who read the Lease."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
