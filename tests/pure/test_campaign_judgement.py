"""What the campaign takes for sound, and for a way of a route: a judge that excuses everything finds nothing."""

from __future__ import annotations

import pytest
from campaign import soundness, transitions
from campaign.faults import Answer, Break, Events, Kill, Plan, Requests
from campaign.traffic import Split

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
