"""What the campaign takes for sound, and for a way of a route: a judge that excuses everything finds nothing."""

from __future__ import annotations

import math

import pytest
from campaign import containment, oracles, soundness, transitions
from campaign.faults import Answer, Break, Events, Kill, Plan, Requests
from campaign.past import Version
from campaign.tape import Exchange, Tape
from campaign.traffic import Split
from campaign.world import Run

from ferryman.cluster import kinds

ENDED = "2026-01-01T00:00:00Z ERROR   kopf ended (gone); stopping, to be started anew\n"
FAILED = "2026-01-01T00:00:00Z ERROR   a/fraud: broken; again in 1.0 s\n"
BEGAN = "2026-01-01T00:00:01Z INFO    watching namespaces a; Istio is served\n"
OURS = f'{soundness.TRACEBACK}\n  File "/ferryman/look.py", line 1\nKeyError: 1\n'
KOPFS = f'{soundness.TRACEBACK}\n  File "/kopf/_cogs/clients/api.py", line 1\nAPIError: 403\n'
CHAINED = "\nThe above exception was the direct cause of the following exception:\n\n"


@pytest.mark.parametrize(
    ("log", "restarts", "sound"),
    [
        (BEGAN, [], True),
        (BEGAN + ENDED + OURS, [70], True),
        (BEGAN + ENDED + OURS + CHAINED + OURS, [70], True),
        (BEGAN + FAILED + OURS, [], False),
        (BEGAN + FAILED + OURS + BEGAN + ENDED, [70], False),
        (FAILED + KOPFS + CHAINED + OURS + BEGAN, [], True),
        (FAILED + KOPFS, [], False),
        (FAILED + OURS + CHAINED + KOPFS + BEGAN, [], False),
    ],
    ids=[
        "it lives",
        "it says what ended it",
        "and what caused that",
        "a bug of its own",
        "a bug of its own, and an end afterwards",
        "kopf was refused, and what that caused",
        "kopf was refused, and nothing began anew",
        "a bug that then met a refusal",
    ],
)
def test_a_log_is_sound_only_if_each_traceback_in_it_is_explained(log: str, restarts: list[int], sound: bool) -> None:
    assert soundness.sound(log, restarts) is sound


@pytest.mark.parametrize(
    ("fault", "may"),
    [
        (Kill(on=Requests(writes=True), position="before"), False),
        (Answer(on=Requests(verb="patch", resource="deployments"), status=409), False),
        (Answer(on=Requests(verb="watch"), status=410), True),
        (Break(on=Events(), how="cut"), True),
    ],
)
def test_only_an_operator_that_was_made_deaf_may_end_itself(fault: Kill | Answer | Break, may: bool) -> None:
    assert soundness.may_end_itself(Plan(name="x/y/z", workload="create", faults=(fault,))) is may


A, B, C = ((("v1", 90), ("v2", 10)), (("v1", 50), ("v2", 50)), (("v2", 100),))


@pytest.mark.parametrize(
    ("found", "fits"), [([A, B, C], True), ([A, C], True), ([B, A], False), ([A, B, A], False), ([], True)]
)
def test_a_route_may_leave_a_step_out_and_take_none_back(found: list[Split], fits: bool) -> None:
    assert transitions.in_order(found, [A, B, C]) is fits


@pytest.mark.parametrize(("waits", "complaints"), [([0.4, 2.0], 0), ([0.4, math.inf], 1), ([], 1)])
def test_a_bystander_that_waits_or_that_nobody_used_is_no_sign_of_isolation(
    waits: list[float], complaints: int
) -> None:
    run = Run(Plan(name="x/y/z", workload="rest", chaos="PodKill/stable", bystander=True), waits=waits)

    assert len(oracles.i10_isolation(run)) == complaints


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "contained"),
    [
        ("update", "modeldeployments/status", "world-1", True),
        ("patch", "deployments/scale", "world-1", True),
        ("update", "modeldeployments/status", "world-2", False),
        ("update", "secrets", "world-1", False),
        ("create", "deployments", "world-1", False),
        ("patch", "modeldeployments", "world-1", False),
    ],
)
def test_a_write_of_another_kind_or_elsewhere_is_not_contained(
    verb: str, resource: str, namespace: str, contained: bool
) -> None:
    written = Exchange(1, 1, 0.0, verb, resource, namespace, "fraud")
    run = Run(Plan(name="x/y/z", workload="create"), "world-1", tape=Tape([written]))

    assert (containment.i8_containment(run) == []) is contained


@pytest.mark.parametrize(("owner", "contained"), [("ours", True), ("somebody-else", False)])
def test_a_child_of_somebody_else_is_not_ours_whatever_kind_its_owner_is_of(owner: str, contained: bool) -> None:
    child = {"metadata": {"ownerReferences": [{"kind": "ModelDeployment", "uid": owner, "controller": True}]}}
    written = Exchange(1, 1, 0.0, "patch", "services", "world-1", "fraud", effective=True, before=child, after=child)
    version = Version(1, 0.0, kinds.MODEL_DEPLOYMENT, "fraud", {"metadata": {"uid": "ours"}})
    run = Run(Plan(name="x/y/z", workload="create"), "world-1", [version], tape=Tape([written]))

    assert (containment.i8_containment(run) == []) is contained


def test_an_end_is_counted_from_where_a_hang_is_over_and_not_from_where_it_began() -> None:
    hung = Exchange(1, 1, 100.0, "patch", "horizontalpodautoscalers", "models", "fraud-0")
    hung.suffers("held 35.00", 35.0)
    later = Exchange(2, 1, 110.0, "get", "modeldeployments", "models", "fraud")
    later.suffers("answer 500")

    assert Tape([hung, later]).last_fault() == 135.0
