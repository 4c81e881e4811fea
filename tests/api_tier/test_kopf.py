"""What the design relies on in kopf, or works around, seen against a real apiserver.

E1 to E8 are the numbers of the measurements that the design began from. They were made with kopf 1.44.6; where the
kopf of today answers otherwise, the test says so. What fails here after an upgrade is news, and may be good news.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from campaign.asked import WRITES
from campaign.faults import Answer, Break, Events, Fault, Hold, Plan, Requests
from campaign.proxy import FaultProxy
from campaign.tape import Exchange

from api_tier.kubectl import Kubectl
from api_tier.listener import FAILED, FAULT
from api_tier.operator_process import ROOT
from api_tier.rig import eventually
from localcluster import controlplane, pki

CONFIGS = "configmaps"
LOOKED = {"looked": True}
CUT = Break(on=Events(resource=CONFIGS, name="trigger"), how="cut")


class Listener:
    """A small kopf operator as a process, behind the proxy."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self._log = log
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    def heard(self, kind: str = CONFIGS) -> list[tuple[str | None, str]]:
        """What came to the event handler; without the object that Kubernetes puts into each namespace."""
        return [
            (each["type"], each["name"])
            for each in self.said
            if each.get("heard") == kind and each["name"] != "kube-root-ca.crt"
        ]

    async def hears(self, name: str, kind: str = CONFIGS) -> None:
        await eventually(lambda: name in [each for _, each in self.heard(kind)])

    async def logs(self, text: str) -> None:
        await eventually(lambda: text in self.log())

    def log(self) -> str:
        return self._log.read_text()

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self._reading


class Stage:
    """One namespace, one proxy, and the kopf operators that are started there."""

    def __init__(self, proxy: FaultProxy, kubectl: Kubectl, directory: Path) -> None:
        self.namespace = kubectl.namespace
        self.listeners: list[Listener] = []
        self._proxy = proxy
        self._kubectl = kubectl
        self._directory = directory

    async def listen(self, *faults: Fault, doors: tuple[str, ...] = ("event", "services"), **more: bool) -> Listener:
        """Start a kopf operator; returns when it hears."""
        self._proxy.load(Plan(name="kopf", workload="none", faults=faults))
        wish = {"namespace": self._kubectl.namespace, "doors": doors, **more}
        log = self._directory / "log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api_tier.listener", json.dumps(wish)),
                env={
                    **os.environ,
                    "KUBECONFIG": str(self._proxy.kubeconfig),
                    "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("operator", "tests")),
                },
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        self._proxy.born(process.pid)
        listener = Listener(process, log)
        self.listeners.append(listener)
        await eventually(lambda: self.asked("watch"))
        return listener

    async def make(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self._kubectl, "create", "configmap", name, "--from-literal=x=1")

    async def release(self) -> None:
        """Take kopf's finalizers away: their namespace could never go."""
        for each in await asyncio.to_thread(self._kubectl.list, "configmaps"):
            if each["metadata"].get("finalizers"):
                nothing: dict[str, Any] = {"metadata": {"finalizers": None}}
                await asyncio.to_thread(self._kubectl.patch, "configmap", each["metadata"]["name"], nothing)

    async def make_service(self, name: str) -> None:
        await asyncio.to_thread(self._kubectl, "create", "service", "clusterip", name, "--tcp=80")

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._kubectl, "delete", "configmap", name)

    def asked(self, verb: str) -> list[str | None]:
        """The requests about ConfigMaps with this verb: what befell each."""
        return [
            each.fault
            for each in self._proxy.tape.exchanges
            if each.verb == verb and each.resource == CONFIGS and (each.status or each.fault)
        ]

    def written(self) -> list[Exchange]:
        return [each for each in self._proxy.tape.exchanges if each.verb in WRITES]

    def written_to(self, name: str) -> list[tuple[str, list[dict[str, Any]]]]:
        tape = self._proxy.tape
        return [(each.verb, tape.diff(each)) for each in tape.writes() if each.name == name]


@pytest.fixture
async def stage(plane: controlplane.ControlPlane, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Stage]:
    proxy = FaultProxy(plane.kubeconfig, pki.Authority(plane.directory / "pki"), tmp_path)
    await proxy.start()
    stage = Stage(proxy, kubectl, tmp_path)
    yield stage
    for listener in stage.listeners:
        await listener.end()
    await stage.release()
    await proxy.stop()


async def gives_up(listener: Listener) -> None:
    """See that kopf ends, with the watch's error, soon after it has lost a watch.

    kopf 1.44.6 went on without the watch, deaf and healthy, for good. Since a later version it takes the loss for its
    own end, and gives what else runs five seconds to finish.
    """
    await listener.logs("Watcher for configmaps.v1@")
    async with asyncio.timeout(30):
        assert await listener.process.wait() == FAILED
    assert "has failed" in next(line for line in listener.log().splitlines() if "Watcher for configmaps" in line)


LOST = (
    CUT,
    Answer(on=Requests(verb="watch", resource=CONFIGS, first=2, count=3), status=500),
)
"""A watch that is closed, and is not opened anew before kopf has used up its patience; all is well afterwards."""


async def lose_the_watch(stage: Stage, *faults: Fault, **more: Any) -> Listener:
    """Let a kopf operator hear of one object; then its watch of ConfigMaps ends as the plan says."""
    listener = await stage.listen(*faults, **more)
    await stage.make("early")
    await listener.hears("early")
    await stage.make("trigger")
    return listener


async def test_e1_a_watch_that_met_errors_for_longer_than_kopf_tries_ends_it(stage: Stage) -> None:
    listener = await lose_the_watch(stage, *LOST)

    await gives_up(listener)
    assert stage.asked("watch") == [None, *["answer 500"] * 3]


async def test_e1_with_endless_patience_the_same_errors_are_outlasted(stage: Stage) -> None:
    listener = await lose_the_watch(stage, *LOST, patient=True)

    await listener.hears("trigger")
    await stage.make("late")
    await listener.hears("late")
    assert stage.asked("watch") == [None, *["answer 500"] * 3, None]


async def test_e2_an_error_in_the_stream_ends_it(stage: Stage) -> None:
    error = Break(on=Events(resource=CONFIGS, name="trigger"), how="error", code=500)
    listener = await lose_the_watch(stage, error, patient=True)

    await gives_up(listener)


async def test_e3_what_is_deleted_before_a_relist_is_never_told_and_stays_in_the_index(stage: Stage) -> None:
    listener = await stage.listen(
        Break(on=Events(resource=CONFIGS, name="trigger"), how="error", code=410),
        Hold(on=Requests(verb="list", resource=CONFIGS, first=2), least=2.0, most=2.0),
        doors=("event", "services", "index"),
    )
    await stage.make("a", "b")
    await listener.hears("b")
    await stage.make("trigger")
    await eventually(lambda: len(stage.asked("list")) == 2)
    await stage.delete("b")
    await listener.hears("trigger")
    await stage.make("late")
    await listener.hears("late")

    assert ("DELETED", "b") not in listener.heard()
    last = listener.said[-1]
    assert last["name"] == "late"
    assert set(last["index"]) >= {"a", "b", "trigger", "late"}, "the index still has what is no more"


async def test_e4_a_watch_request_that_is_too_old_ends_it(stage: Stage) -> None:
    gone = Answer(on=Requests(verb="watch", resource=CONFIGS, first=2), status=410)
    listener = await lose_the_watch(stage, CUT, gone, patient=True)

    await gives_up(listener)


async def test_e5_a_right_that_is_missing_for_longer_than_kopf_tries_ends_it(stage: Stage) -> None:
    forbidden = Answer(on=Requests(verb="watch", resource=CONFIGS, first=2, count=3), status=403)
    listener = await lose_the_watch(stage, CUT, forbidden)

    await gives_up(listener)


async def test_e5_with_endless_patience_the_right_may_come_back(stage: Stage) -> None:
    forbidden = Answer(on=Requests(verb="watch", resource=CONFIGS, first=2, count=3), status=403)
    listener = await lose_the_watch(stage, CUT, forbidden, patient=True)

    await listener.hears("trigger")


async def test_e6_an_event_handler_that_failed_is_not_called_again(stage: Stage) -> None:
    listener = await stage.listen(doors=("failing", "services"))
    await stage.make("a")
    await listener.logs("failed with an exception and will ignore it: as it was told to")
    await stage.make("b")
    await listener.hears("b")
    await stage.make_service("late")
    await listener.hears("late", "services")

    assert listener.heard() == [("ADDED", "a"), ("ADDED", "b")]


async def test_e7_an_event_handler_writes_nothing(stage: Stage) -> None:
    listener = await stage.listen()
    await stage.make("a", "b")
    await listener.hears("b")
    await stage.delete("a")
    await eventually(lambda: ("DELETED", "a") in listener.heard())

    assert stage.written() == []


async def test_e7_a_daemon_adds_a_finalizer(stage: Stage) -> None:
    listener = await stage.listen(doors=("daemon",))
    await stage.make("a")
    await eventually(lambda: {"daemon": "a"} in listener.said and stage.written_to("a"))

    [(verb, patch)] = stage.written_to("a")
    assert verb == "patch"
    assert patch == [{"op": "add", "path": "/metadata/finalizers", "value": ["kopf.zalando.org/KopfFinalizerMarker"]}]


async def test_e7_a_creation_handler_keeps_a_copy_of_the_object_on_it(stage: Stage) -> None:
    listener = await stage.listen(doors=("create",))
    await stage.make("a")
    await eventually(lambda: {"created": "a"} in listener.said and stage.written_to("a"))

    [(verb, patch)] = stage.written_to("a")
    assert verb == "patch"
    assert [each["op"] for each in patch] == ["add"]
    assert list(patch[0]["value"]) == ["kopf.zalando.org/last-handled-configuration"]


async def test_e8_our_own_sign_of_a_lost_watch_is_quicker(stage: Stage) -> None:
    """It does not wait for what kopf leaves time to; and stays, should kopf become deaf again."""
    error = Break(on=Events(resource=CONFIGS, name="trigger"), how="error", code=500)
    listener = await stage.listen(error, guarded=True)
    await stage.make("early")
    await listener.hears("early")
    looked = listener.said.count(LOOKED)
    await eventually(lambda: listener.said.count(LOOKED) > looked)
    await stage.make("trigger")

    async with asyncio.timeout(10):
        assert await listener.process.wait() == FAULT
    await listener.end()
    ended = listener.said[-1]["ended"]
    assert "watcher for configmaps.v1@" in ended
    assert ended.endswith(" gone")
