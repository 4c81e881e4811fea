"""Notices on their way to the apiserver, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

from cluster_io import virtual_time
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.events import Recorder
from ferryman.outcome import Notice

FRAUD = ObjectMeta(name="fraud", namespace="default", uid="u1", generation=1, resource_version="1")
CHURN = ObjectMeta(name="churn", namespace="default", uid="u2", generation=1, resource_version="1")
PROMOTED = Notice("Normal", "Promoted", "fraud-2 is stable now")


class Sent(list[dict[str, Any]]):
    """The events that arrived."""

    async def post(self, event: dict[str, Any]) -> None:
        self.append(event)


def test_a_notice_becomes_an_event_on_its_object() -> None:
    async def story() -> list[dict[str, Any]]:
        sent = Sent()
        recorder = Recorder(sent.post, asyncio.get_running_loop().time, "pod-1")
        recorder.publish(FRAUD, PROMOTED)
        await asyncio.sleep(1)
        return sent

    (event,) = virtual_time.run(story())
    assert event["regarding"]["uid"] == "u1"
    assert event["metadata"]["namespace"] == "default"
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "Promoted", "fraud-2 is stable now")


def test_the_same_notice_is_sent_once_in_ten_minutes_for_each_object() -> None:
    async def story() -> list[str]:
        sent = Sent()
        recorder = Recorder(sent.post, asyncio.get_running_loop().time, "pod-1")
        for owner in (FRAUD, FRAUD, CHURN):
            recorder.publish(owner, PROMOTED)
        await asyncio.sleep(599)
        recorder.publish(FRAUD, PROMOTED)
        await asyncio.sleep(2)
        recorder.publish(FRAUD, PROMOTED)
        await asyncio.sleep(1)
        return [event["regarding"]["name"] for event in sent]

    assert virtual_time.run(story()) == ["fraud", "churn", "fraud"]


def test_an_apiserver_that_refuses_or_hangs_disturbs_nobody() -> None:
    async def refuse(_: dict[str, Any]) -> None:
        raise PermissionError("events are forbidden")

    async def hang(_: dict[str, Any]) -> None:
        await asyncio.sleep(3600)

    async def story() -> float:
        clock = asyncio.get_running_loop().time
        for post in (refuse, hang):
            Recorder(post, clock, "pod-1").publish(FRAUD, PROMOTED)
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        return clock()

    assert virtual_time.run(story()) < 10
