"""Notices become Events on the ModelDeployment, where `kubectl describe` shows them.

The same notice is not sent twice within ten minutes, and no Event that is slow or forbidden ever holds up the work
that it tells of.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from ferryman.api.modeldeployment import API_VERSION, KIND, ObjectMeta
from ferryman.outcome import Notice

QUIET_SECONDS = 600.0
POST_SECONDS = 5.0
MOST_AT_ONCE = 50
MOST_NOTE = 1024  # what events.k8s.io allows

log = logging.getLogger(__name__)

Post = Callable[[dict[str, Any]], Awaitable[object]]


class Recorder:
    """Sends notices, each once."""

    def __init__(self, post: Post, clock: Callable[[], float], instance: str) -> None:
        self._post = post
        self._clock = clock
        self._instance = instance
        self._sent: dict[tuple[str, Notice], float] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def publish(self, owner: ObjectMeta, notice: Notice) -> None:
        """Send a notice in the background, unless it was sent lately or too many are under way."""
        now = self._clock()
        self._sent = {key: until for key, until in self._sent.items() if until > now}
        key = (owner.uid, notice)
        if key in self._sent or len(self._under_way) >= MOST_AT_ONCE:
            return
        self._sent[key] = now + QUIET_SECONDS
        task = asyncio.get_running_loop().create_task(self._send(owner, notice))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, owner: ObjectMeta, notice: Notice) -> None:
        try:
            async with asyncio.timeout(POST_SECONDS):
                await self._post(event(owner, notice, self._instance, datetime.now(UTC)))
        except Exception as error:  # noqa: BLE001 an Event is a courtesy
            log.warning("no Event %s on %s/%s: %s", notice.reason, owner.namespace, owner.name, error)


def event(owner: ObjectMeta, notice: Notice, instance: str, now: datetime) -> dict[str, Any]:
    """Return the Event that tells a notice."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{owner.name}.{uuid.uuid4().hex[:16]}", "namespace": owner.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "ferryman.dev/operator",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "type": notice.type,
        "reason": notice.reason,
        "note": notice.message[:MOST_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": owner.namespace,
            "name": owner.name,
            "uid": owner.uid,
        },
    }
