"""The fault proxy does what a plan says to requests and to the life of the operator, before a real apiserver."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from campaign import lives
from campaign.faults import (
    Answer,
    Events,
    Hide,
    Hold,
    Kill,
    Lose,
    Requests,
    Stop,
    Swallow,
)
from campaign.upstream import passed_on

from api_tier.direct import connected
from api_tier.kubectl import Kubectl
from api_tier.rig import CONFIG, WRITES, Rig, eventually, rigged
from ferryman.cluster import errors, kinds
from localcluster import controlplane


@pytest.fixture
async def rig(plane: controlplane.ControlPlane, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(plane, kubectl, tmp_path) as rig:
        yield rig


# What is noted


async def test_each_request_is_numbered_and_each_write_told_with_its_difference(rig: Rig) -> None:
    made = await rig.apply("a", x="1")
    await rig.apply("a", x="1")
    await rig.apply("a", x="2")
    await rig.client.list(CONFIG, rig.namespace)
    await rig.client.plurals("networking.istio.io", "v1")
    await rig.client.delete(CONFIG, rig.namespace, "a", made["metadata"]["uid"])

    tape = rig.proxy.tape
    assert [(each.number, each.life) for each in tape.exchanges] == [(number, 1) for number in range(1, 7)]
    assert rig.told() == [
        ("patch", "a", 201, True, None),
        ("patch", "a", 200, False, None),
        ("patch", "a", 200, True, None),
        ("list", "", 200, False, None),
        ("discover", "networking.istio.io/v1", 200, False, None),
        ("delete", "a", 200, True, None),
    ]
    created, changed, deleted = tape.writes()
    assert created.before is None
    assert tape.diff(changed) == [{"op": "replace", "path": "/data/x", "value": "2"}]
    assert deleted.before is not None
    assert deleted.before["data"] == {"x": "2"}
    assert deleted.after is None
    assert {(each.resource, each.namespace) for each in tape.writes()} == {("configmaps", rig.namespace)}


async def test_a_subresource_a_creation_and_a_refused_write_are_told_as_what_they_are(rig: Rig) -> None:
    metadata = {"name": "web", "namespace": rig.namespace}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    made = await rig.client.create(kinds.SERVICE, service)
    with pytest.raises(errors.Conflict):
        await rig.client.create(kinds.SERVICE, service)
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    await rig.client.replace_status(kinds.SERVICE, {**made, "status": address})

    assert rig.told() == [
        ("create", "web", 201, True, None),
        ("create", "web", 409, False, None),
        ("update", "web", 200, True, None),
    ]
    assert [each.resource for each in rig.proxy.tape.exchanges] == ["services", "services", "services/status"]


async def test_what_waits_for_its_finalizer_was_changed_by_its_deletion_once(rig: Rig) -> None:
    made = await rig.apply("a")
    rig.kubectl.patch("configmap", "a", {"metadata": {"finalizers": ["test.example/wait"]}})
    for _ in range(2):
        await rig.client.delete(CONFIG, rig.namespace, "a", made["metadata"]["uid"])
    rig.kubectl.patch("configmap", "a", {"metadata": {"finalizers": None}})

    assert [each.effective for each in rig.proxy.tape.exchanges] == [True, True, False]
    after = rig.proxy.tape.exchanges[1].after
    assert after is not None
    assert "deletionTimestamp" in after["metadata"]


def test_the_operators_own_proof_of_who_it_is_goes_no_further() -> None:
    headers = {"Authorization": "Bearer x", "Accept": "application/json", "Connection": "close", "Host": "here"}

    assert passed_on(headers) == {"Accept": "application/json"}


# Lives


@pytest.mark.parametrize("position", ["before", "committed", "answered"])
async def test_the_operator_is_killed_at_the_write_that_the_plan_names(rig: Rig, position: Any) -> None:
    await rig.run(Kill(on=Requests(writes=True, name="b", first=2), position=position))
    await rig.apply("b", x="1")
    await rig.apply("c", x="1")
    if position == "answered":
        assert (await rig.apply("b", x="2"))["data"] == {"x": "2"}
    else:
        with pytest.raises(errors.Unavailable):
            await rig.apply("b", x="2")

    await rig.died()
    assert rig.stored() == {"b": {"x": "1" if position == "before" else "2"}, "c": {"x": "1"}}
    last = (0, False) if position == "before" else (200, True)
    assert rig.told()[-1] == ("patch", "b", *last, f"kill {position}")
    assert rig.proxy.unfinished() == []


async def test_nothing_of_a_dead_operator_gets_through(rig: Rig) -> None:
    await asyncio.gather(*(rig.get("none") for _ in range(10)), return_exceptions=True)  # ten connections
    await rig.run(Kill(on=Requests(writes=True, first=5), position="before"))

    await asyncio.gather(*(rig.apply(f"n{number}") for number in range(30)), return_exceptions=True)

    await rig.died()
    killed = next(each.number for each in rig.proxy.tape.exchanges if each.fault == "kill before")
    assert killed == 5
    assert len(rig.stored()) <= 4
    assert len(rig.stored()) == len(rig.proxy.tape.writes())
    assert len(rig.proxy.tape.exchanges) == 5, "what comes after is not even listened to"


async def test_a_new_connection_waits_for_the_birth_of_the_next_operator(rig: Rig) -> None:
    await rig.run(Kill(on=WRITES, position="answered"))
    await rig.apply("a")
    await rig.died()

    async with connected(rig.proxy.kubeconfig) as successor:
        early = asyncio.create_task(successor.get(CONFIG, rig.namespace, "a"))
        done, _ = await asyncio.wait([early], timeout=0.3)
        assert not done
        await rig.bear()

        assert (await early)["metadata"]["name"] == "a"
    assert [each.life for each in rig.proxy.tape.exchanges] == [1, 2]
    assert not rig.proxy.died.is_set()


async def test_a_connection_that_a_dying_operator_had_begun_is_not_taken_for_the_next_ones(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lives, "LAST_WORDS_SECONDS", 1.0)
    await rig.run(Kill(on=WRITES, position="answered"))
    await rig.apply("a")
    async with connected(rig.proxy.kubeconfig) as begun:
        with pytest.raises(errors.Unavailable):
            await begun.get(CONFIG, rig.namespace, "a")
    assert not rig.proxy.died.is_set()

    await rig.died()
    await rig.bear()
    await rig.apply("c")
    assert list(rig.stored()) == ["a", "c"]


async def test_the_successor_of_an_operator_that_ended_by_itself_has_a_life_of_its_own(rig: Rig) -> None:
    await rig.apply("a")
    assert rig.child is not None
    rig.child.kill()
    rig.child.wait()
    async with connected(rig.proxy.kubeconfig) as successor:
        early = asyncio.create_task(successor.get(CONFIG, rig.namespace, "a"))
        done, _ = await asyncio.wait([early], timeout=0.3)
        assert not done
        await rig.bear()
        await early

    assert [each.life for each in rig.proxy.tape.exchanges] == [1, 2]
    assert not rig.proxy.died.is_set(), "that is for those whom the proxy killed"


async def test_a_fault_may_wait_for_a_later_life(rig: Rig) -> None:
    await rig.run(
        Kill(on=Requests(writes=True), position="answered"),
        Kill(on=Requests(writes=True, life=2, first=2), position="answered"),
    )
    await rig.apply("a", x="1")
    await rig.died()
    await rig.bear()
    await rig.apply("a", x="2")
    await rig.apply("a", x="3")
    await rig.died()

    assert [(each.life, each.fault) for each in rig.proxy.tape.exchanges] == [
        (1, "kill answered"),
        (2, None),
        (2, "kill answered"),
    ]


async def test_a_new_run_begins_with_nothing_of_the_one_before(rig: Rig) -> None:
    await rig.run(Answer(on=Requests(writes=True, first=2), status=500))
    await rig.apply("a")
    await rig.run(Answer(on=Requests(writes=True, first=2), status=500))
    await rig.apply("a")

    assert rig.told() == [("patch", "a", 200, False, None)]
    assert len(rig.proxy.unfinished()) == 1


# Answers, resets, holds


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.Unavailable),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.Gone),
        (422, errors.Invalid),
        (429, errors.Unavailable),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
async def test_an_error_is_answered_in_the_place_of_the_apiserver(
    rig: Rig, status: int, error: type[errors.ClusterError]
) -> None:
    await rig.run(Answer(on=WRITES, status=status, message="by the plan"))

    with pytest.raises(error, match="by the plan"):
        await rig.apply("a")

    assert rig.stored() == {}
    assert rig.told() == [("patch", "a", status, False, f"answer {status}")]
    await rig.apply("a")


async def test_an_error_may_say_when_to_come_again(rig: Rig) -> None:
    await rig.run(Answer(on=Requests(verb="get"), status=429, retry_after=7))
    request = await rig.client._api.param_serialize("GET", CONFIG.path(rig.namespace, "a"))
    answer = await rig.client._api.call_api(*request)
    said = json.loads(await answer.read())

    assert answer.getheader("Retry-After") == "7"
    assert (said["kind"], said["reason"], said["code"]) == ("Status", "TooManyRequests", 429)
    assert said["details"]["retryAfterSeconds"] == 7


@pytest.mark.parametrize("committed", [False, True])
async def test_an_answer_is_lost_before_or_after_the_request_took_effect(rig: Rig, committed: bool) -> None:
    await rig.run(Lose(on=WRITES, committed=committed))

    with pytest.raises(errors.Unavailable):
        await rig.apply("a")

    assert rig.stored() == ({"a": {}} if committed else {})
    expected = (201, True, "lose committed") if committed else (0, False, "lose")
    assert rig.told() == [("patch", "a", *expected)]


async def test_a_request_is_held_up_while_others_pass(rig: Rig) -> None:
    await rig.run(Hold(on=Requests(name="slow"), least=0.5, most=0.6))
    began = time.monotonic()
    slow = asyncio.create_task(rig.apply("slow"))
    await eventually(rig.told)
    await rig.apply("quick")
    assert list(rig.stored()) == ["quick"]

    await slow
    assert 0.5 <= time.monotonic() - began < 5


async def test_a_stopped_operator_goes_on_later_and_its_request_with_it(rig: Rig) -> None:
    await rig.run(Stop(on=WRITES, for_seconds=0.5))
    assert rig.child is not None
    status = Path(f"/proc/{rig.child.pid}/stat")

    late = asyncio.create_task(rig.apply("a"))
    await eventually(lambda: status.read_text().split()[2] == "T")
    assert rig.stored() == {}
    await late

    await eventually(lambda: status.read_text().split()[2] == "S")
    assert list(rig.stored()) == ["a"]


# Who is hit


async def hits(rig: Rig, on: Requests, requests: int, seed: int = 0) -> list[int]:
    """Return the numbers of the requests that a plan hits."""
    await rig.run(Answer(on=on, status=500), seed=seed)
    for number in range(requests):
        with pytest.raises(errors.ClusterError):  # if not ours, then that it is not there
            await rig.get(f"none-{number % 2}")
    return [each.number for each in rig.proxy.tape.exchanges if each.fault]


async def test_numbers_choose_who_is_hit(rig: Rig) -> None:
    assert await hits(rig, Requests(), 6) == [1]
    assert await hits(rig, Requests(first=3, count=2), 6) == [3, 4]
    assert await hits(rig, Requests(count=None, every=3), 8) == [1, 4, 7]
    assert await hits(rig, Requests(first=2, count=2, every=3), 9) == [2, 5]
    assert await hits(rig, Requests(name="none-1", first=2, count=None), 8) == [4, 6, 8]
    assert await hits(rig, Requests(verb="list", count=None), 3) == []
    assert await hits(rig, Requests(writes=True, count=None), 3) == []
    assert await hits(rig, Requests(resource="pods", count=None), 3) == []
    assert await hits(rig, Requests(life=2, count=None), 3) == []


async def test_a_storm_is_over_after_its_seconds(rig: Rig) -> None:
    await rig.run(Answer(on=Requests(count=None, seconds=0.3), status=500))
    await asyncio.sleep(0.4)  # the storm begins with its first victim, not with the run
    with pytest.raises(errors.Unavailable):
        await rig.apply("a")
    began = time.monotonic()
    while rig.proxy.tape.exchanges[-1].fault:
        try:
            await rig.apply("a")
        except errors.Unavailable:
            assert time.monotonic() - began < 5

    assert time.monotonic() - began > 0.25


async def test_chance_falls_the_same_way_whenever_a_plan_is_run(rig: Rig) -> None:
    likely = Requests(count=None, probability=0.5)
    first = await hits(rig, likely, 40, seed=7)

    assert 5 < len(first) < 35
    assert await hits(rig, likely, 40, seed=7) == first
    assert await hits(rig, likely, 40, seed=8) != first


async def test_a_plan_replays_the_same(rig: Rig) -> None:
    plan = (
        Answer(on=Requests(writes=True, count=None, probability=0.3), status=409),
        Lose(on=Requests(writes=True, first=5), committed=True),
        Hold(on=Requests(verb="get", count=None, probability=0.5), least=0.0, most=0.02),
        Kill(on=Requests(writes=True, name="b", first=6), position="committed"),
        Swallow(on=Events(name="a", first=2)),
    )
    tapes = []
    for _ in range(2):
        rig.kubectl("delete", "configmap", "-l", "test", "--ignore-not-found")
        await rig.run(*plan, seed=3)
        async with rig.watching() as watch:
            for number in range(6):
                for name in "ab":
                    for request in (rig.get(name), rig.apply(name, x=str(number))):
                        await asyncio.gather(request, return_exceptions=True)
        await rig.died()
        tapes.append((rig.told(), watch.heard, [each.fate for each in rig.proxy.tape.events]))
        await rig.bear()

    assert tapes[0][0] == tapes[1][0]
    assert {fault.split()[0] for *_, fault in tapes[0][0] if fault} == {"answer", "lose", "held", "kill"}


async def test_a_fault_that_found_nothing_to_hit_is_told(rig: Rig) -> None:
    there = Answer(on=Requests(name="a"), status=500)
    never = (
        Answer(on=Requests(name="b"), status=500),
        Swallow(on=Events(name="a")),
        Hide(group="apps"),
        Lose(on=Requests(name="a")),  # comes second to the answer
    )
    await rig.run(there, *never)
    with pytest.raises(errors.Unavailable):
        await rig.apply("a")

    assert rig.proxy.unfinished() == list(never)
