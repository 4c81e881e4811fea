"""The fault proxy does what a plan says to watches, lets the operator read the past, and hides what is served."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from campaign.faults import (
    Answer,
    Break,
    Events,
    Hide,
    Kill,
    Late,
    Requests,
    Swallow,
    Travel,
    Twice,
)

from api_tier.kubectl import Kubectl
from api_tier.rig import CONFIG, Rig, eventually, rigged
from ferryman.cluster import errors, kinds
from localcluster import controlplane

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def rig(plane: controlplane.ControlPlane, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(plane, kubectl, tmp_path) as rig:
        yield rig


# Watches


async def test_a_watch_passes_on_what_happens(rig: Rig) -> None:
    async with rig.watching() as watch:
        made = await rig.apply("a", x="1")
        await rig.apply("a", x="2")
        await rig.client.delete(CONFIG, rig.namespace, "a", made["metadata"]["uid"])
        await watch.hears(("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"))

    events = rig.proxy.tape.events
    assert [(each.type, each.name, each.fate) for each in events] == [
        (kind, "a", "delivered") for kind in ("ADDED", "MODIFIED", "DELETED")
    ]
    assert events[0].resourceVersion == made["metadata"]["resourceVersion"]
    assert {(each.resource, each.namespace, each.life) for each in events} == {("configmaps", rig.namespace, 1)}


async def test_a_swallowed_event_is_never_heard(rig: Rig) -> None:
    await rig.run(Swallow(on=Events(resource="configmaps", type="MODIFIED", name="a", first=2)))
    async with rig.watching() as watch:
        for number in "1234":
            await rig.apply("a", x=number)
        await rig.apply("b")
        await watch.hears(("ADDED", "a"), ("MODIFIED", "a"), ("MODIFIED", "a"), ("ADDED", "b"))

    assert [each.fate for each in rig.proxy.tape.events] == [
        *("delivered", "delivered", "swallowed", "delivered", "delivered")
    ]


async def test_a_late_event_comes_after_those_that_followed_it(rig: Rig) -> None:
    await rig.run(Late(on=Events(name="a"), for_seconds=0.5))
    async with rig.watching() as watch:
        for name in "abc":
            await rig.apply(name)
        await watch.hears(("ADDED", "b"), ("ADDED", "c"), ("ADDED", "a"))


async def test_an_event_comes_twice(rig: Rig) -> None:
    await rig.run(Twice(on=Events(name="a")))
    async with rig.watching() as watch:
        for name in "ab":
            await rig.apply(name)
        await watch.hears(("ADDED", "a"), ("ADDED", "a"), ("ADDED", "b"))


async def test_a_watch_is_cut_in_the_midst(rig: Rig) -> None:
    await rig.run(Break(on=Events(name="b"), how="cut"))
    async with rig.watching() as watch:
        for name in "ab":
            await rig.apply(name)
        assert isinstance(await watch.ends(), aiohttp.ClientError)
        assert watch.heard == [("ADDED", "a")]


async def test_a_frozen_watch_stays_open_and_silent(rig: Rig) -> None:
    await rig.run(Break(on=Events(name="b"), how="freeze"))
    async with rig.watching() as frozen:
        for name in "ab":
            await rig.apply(name)
        await eventually(lambda: [each.fate for each in rig.proxy.tape.events] == ["delivered", "freeze"])
        async with rig.watching() as sound:
            await rig.apply("c")
            await sound.hears(("ADDED", "c"))
        assert frozen.heard == [("ADDED", "a")]
        assert not frozen.ended


@pytest.mark.parametrize("code", [410, 500])
async def test_a_watch_tells_of_an_error_and_ends(rig: Rig, code: int) -> None:
    await rig.run(Break(on=Events(name="b"), how="error", code=code))
    async with rig.watching() as watch:
        for name in "ab":
            await rig.apply(name)
        assert await watch.ends() is True
        assert watch.heard == [("ADDED", "a"), ("ERROR", code)]


async def test_bookmarks_are_passed_on_and_not_counted(rig: Rig) -> None:
    await rig.run(Swallow(on=Events(first=2)))
    await rig.apply("a")
    initial = {"allowWatchBookmarks": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with rig.watching(resourceVersion="", **initial) as watch:
        await eventually(lambda: len(watch.heard) == 2)
        await rig.apply("b")
        await rig.apply("c")
        await eventually(lambda: ("ADDED", "c") in watch.heard)

    assert [kind for kind, _ in watch.heard] == ["ADDED", "BOOKMARK", "ADDED"]


async def test_a_kill_ends_the_watches_too(rig: Rig) -> None:
    await rig.run(Kill(on=Requests(writes=True, first=2), position="committed"))
    async with rig.watching() as watch:
        await rig.apply("a")
        await watch.hears(("ADDED", "a"))
        await asyncio.gather(rig.apply("b"), return_exceptions=True)
        assert await watch.ends()
        await rig.died()


@pytest.mark.parametrize("position", ["before", "committed", "answered"])
async def test_the_operator_is_killed_when_it_asks_for_a_watch(rig: Rig, position: Any) -> None:
    await rig.run(Kill(on=Requests(verb="watch", resource="configmaps"), position=position))
    try:
        async with rig.watching() as watch:
            assert isinstance(await watch.ends(), aiohttp.ClientError)
            assert watch.status == 200
    except aiohttp.ClientError:
        assert position != "answered"
    await rig.died()
    assert rig.told()[-1] == ("watch", "", 0 if position == "before" else 200, False, f"kill {position}")


async def test_a_watch_is_refused_like_any_request(rig: Rig) -> None:
    await rig.run(Answer(on=Requests(verb="watch", resource="configmaps"), status=410))
    async with rig.watching() as watch:
        assert watch.status == 410


# The past, and what is hidden


@pytest.mark.parametrize("write", ["create", "patch", "delete"])
async def test_the_operator_wakes_up_in_the_past(rig: Rig, write: str) -> None:
    await rig.run(Travel(on=Requests(name="a", writes=True, first=3), for_seconds=1.0))
    seen = [await rig.apply("a", x="1"), await rig.apply("a", x="2")]
    for body in seen:
        rig.memory.take(body)
    if write == "patch":
        rig.memory.take(await rig.apply("a", x="3"))
    elif write == "delete":
        await rig.client.delete(CONFIG, rig.namespace, "a", seen[0]["metadata"]["uid"])
    else:
        await rig.run(Travel(on=Requests(name="new", writes=True), for_seconds=1.0))
        rig.memory.take(await rig.apply("new"))
    await rig.died()
    assert rig.told()[-1][-1] == "travel"

    await rig.bear()
    began = time.monotonic()
    async with rig.watching() as watch:
        assert (await rig.get("a"))["data"] == {"x": "2"}
        assert [each["data"] for each in await rig.client.list(CONFIG, rig.namespace, "test")] == [{"x": "2"}]
        with pytest.raises(errors.NotFound):
            await rig.get("new")
        written = await rig.apply("b", x="now")
        assert written["metadata"]["name"] in rig.stored(), "what it writes is written in the present"
        assert await watch.ends() is True
        assert watch.heard == [("ERROR", 410)]
    assert 0.9 < time.monotonic() - began < 5

    if write == "delete":
        with pytest.raises(errors.NotFound):
            await rig.get("a")
    else:
        assert (await rig.get({"create": "new", "patch": "a"}[write]))["metadata"]


async def test_the_operator_wakes_up_further_in_the_past(rig: Rig) -> None:
    await rig.run(Travel(on=Requests(name="a", writes=True, first=3), for_seconds=1.0, back=1))
    for number in "123":
        rig.memory.take(await rig.apply("a", x=number))
    await rig.died()

    await rig.bear()

    assert (await rig.get("a"))["data"] == {"x": "1"}


async def test_a_hidden_group_is_not_served_and_comes_back(rig: Rig) -> None:
    await rig.run(Hide(group="apps", on=Requests(verb="list", resource="configmaps", seconds=1.0)))
    await rig.client.list(kinds.DEPLOYMENT, rig.namespace)
    assert "apps" in await groups(rig)

    await rig.client.list(CONFIG, rig.namespace)
    assert await rig.client.plurals("apps", "v1") == frozenset()
    with pytest.raises(errors.NotFound):
        await rig.client.list(kinds.DEPLOYMENT, rig.namespace)
    for form in ("application/json", AGGREGATED):
        shown = await groups(rig, form)
        assert "apps" not in shown
        assert "batch" in shown
    assert rig.proxy.unfinished() == []

    async with asyncio.timeout(10):
        while "apps" not in await groups(rig):  # noqa: ASYNC110 time alone brings it back
            await asyncio.sleep(0.05)
    assert "deployments" in await rig.client.plurals("apps", "v1")


async def test_watches_of_a_group_that_is_hidden_end_in_peace(rig: Rig) -> None:
    await rig.run(Hide(group="", on=Requests(writes=True, first=2, count=None)))
    async with rig.watching() as watch:
        await rig.apply("a")
        await watch.hears(("ADDED", "a"))
        with pytest.raises(errors.NotFound):
            await rig.apply("b")
        assert await watch.ends() is True


async def groups(rig: Rig, form: str = "application/json") -> set[str]:
    """Return the names of the API groups, as discovery tells them in one of its forms."""
    request = await rig.client._api.param_serialize("GET", "/apis", header_params={"Accept": form})
    body = json.loads(await (await rig.client._api.call_api(*request)).read())
    return {each.get("name") or each["metadata"]["name"] for each in body.get("groups") or body["items"]}
