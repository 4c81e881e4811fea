"""The contract as code: what must hold of every look, of every write, and of a rollout that has come to rest.

A function is named by the line of the design's contract that it holds the operator to, or by the decision. It counts
pods and shares by itself, so that a fault of the planner's own arithmetic is one here. Nothing in here is changed to
let a planner pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pure.looks import Look
from pure.past import Past, asked_of, carried_out, set_back, told_of, watched, wiped
from pure.rest import at_rest
from pure.view import View, left, name_of, route_of
from pure.written import (
    line_3_and_4_pods_go_last,
    line_4_and_5_a_backend_goes_last,
    line_5_and_19_a_route_leads_to_what_is_there,
    of_a_write,
    of_an_autoscaler,
    routed,
)

from ferryman.api.run import RunKind
from ferryman.api.status import ModelDeploymentStatus

__all__ = [
    "OF_A_LOOK",
    "Past",
    "asked_of",
    "at_rest",
    "carried_out",
    "line_3_and_4_pods_go_last",
    "line_4_and_5_a_backend_goes_last",
    "line_5_and_19_a_route_leads_to_what_is_there",
    "of_a_look",
    "of_a_write",
    "of_an_autoscaler",
    "route_of",
    "routed",
    "set_back",
    "told_of",
    "wiped",
]

BY_HAND = {"Aborted", "RolledBack"}
"""The reasons of a rejection that a person told."""


def line_1_a_candidate_gets_traffic_only_with_ready_pods(view: View, _past: Past) -> None:
    route = view.planned
    if route is None:
        return
    for name in {*route.weights, *filter(None, (route.matched,))} - {view.stable}:
        assert name == view.candidate, f"{name} is neither stable nor candidate, and is to be routed"
        assert view.available(name) > 0, f"{name} has no ready pod, and is to be routed"
    for name in route.mirrors:
        assert name in (view.candidate, view.challenger), f"{name} is to be mirrored to, and nobody asked for that"
        assert view.available(name) > 0, f"{name} has no ready pod, and is to be mirrored to"


def line_2_weight_rises_only_with_the_pods_for_it(view: View, _past: Past) -> None:
    name = view.candidate or ""
    has, gets, pods = view.had.get(name, 0), view.gets.get(name, 0), view.available(name)
    if gets <= has:
        return
    share_of_pods = 100 * pods // view.everything(view.stable) if view.no_surge else 0
    enough = pods >= view.needs(gets) or gets <= share_of_pods
    assert enough, f"{name} goes from {has} to {gets} % with {pods} of {view.needs(gets)} pods"


def line_3_stable_keeps_the_pods_for_its_share(view: View, _past: Past) -> None:
    name, run = view.stable or "", view.after.run
    replicas = view.scales.get(name)
    if run is None or replicas is None or replicas >= view.desired(name):
        return
    share = max(view.had.get(name, 0), view.gets.get(name, 0)) if view.seen.mesh else 100
    if not view.no_surge or view.candidate is None:
        assert replicas >= run.full, f"stable is taken from {view.desired(name)} to {replicas} of {run.full} pods"
    elif not (view.spec.rollout.allow_downtime and run.full == 1):
        least = max(1, left(run.full, share) - 1)
        assert replicas >= least, f"stable has {share} % and is left {replicas} of {run.full} pods"


def line_6_a_lost_candidate_loses_its_weight_before_anything_else(view: View, _past: Past) -> None:
    name = name_of(view.before.candidate) or ""
    if not view.had.get(name) or view.available(name) or not view.available(name_of(view.before.stable)):
        return
    assert not view.gets.get(name), f"{name} has lost all its pods and keeps {view.gets.get(name)} %"
    if view.seen.backend(view.stable or "").addressed and view.plan.objects:
        first = view.plan.objects[0]["kind"]
        assert first == "VirtualService", f"{name} has lost all its pods, and {first} is written first"


def line_7_an_abort_takes_traffic_first_and_is_remembered(view: View, _past: Past) -> None:
    was = view.before.candidate
    if was is None or not any((each.verb, each.outcome) == ("abort", "Done") for each in view.answered):
        return
    assert view.candidate is None, "an aborted candidate is a candidate still"
    assert set(view.gets) <= {view.stable}, f"the candidate was aborted, and the route is to be {dict(view.gets)}"
    rolling_back = view.before.run is not None and view.before.run.kind is RunKind.ROLLBACK
    rejected = view.after.rejected.revision if view.after.rejected is not None else None
    assert rolling_back or rejected == was.revision, f"{was.revision} was aborted, and {rejected} is rejected"


def line_7_a_rejected_revision_does_not_come_back_by_itself(view: View, past: Past) -> None:
    if view.candidate is None or view.candidate == name_of(view.before.candidate):
        return
    assert view.candidate not in past.rejected, f"{view.candidate} was rejected, and is a candidate again"


def line_8_a_third_revision_starts_at_weight_zero(view: View, _past: Past) -> None:
    was, run = name_of(view.before.candidate), view.after.run
    if was is None or view.candidate in (None, was) or view.before.stable is None:
        return
    left = [each.revision.revision for each in (*view.after.retiring, *view.after.history)]
    assert view.stable == name_of(view.before.stable), "another candidate was named, and stable changed"
    assert not view.gets.get(view.candidate or ""), f"{view.candidate} was just named, and is to have traffic"
    assert run is not None, f"{view.candidate} has no run"
    assert run.step == 0, f"{view.candidate} begins at step {run.step}"
    assert was in left, f"{was} was replaced, and nobody remembers that it leaves"
    assert was not in view.scales, f"{was} was just replaced, and its pods are touched"


def line_8_the_plan_of_steps_is_pinned(view: View, _past: Past) -> None:
    old, new, canary = view.before.run, view.after.run, view.spec.rollout.canary
    if old is None or new is None or not view.same_run or old.steps == new.steps:
        return
    by_number = canary is not None and canary.traffic_percent is not None and not new.steps
    adopted = canary is not None and not old.steps and new.steps == canary.steps and new.step <= 1
    assert by_number or adopted, "the plan of a run under way changed"


def line_9_a_return_ends_the_run_at_once(view: View, _past: Past) -> None:
    stable, rejected = name_of(view.before.stable), view.before.rejected
    if view.before.candidate is None or stable is None or view.wish() != stable:
        return
    if rejected is not None and rejected.revision == stable:
        return
    assert view.candidate is None, f"the spec asks for {stable}, and {view.candidate} is rolled out still"
    assert set(view.gets) <= {stable}, f"the spec asks for {stable}, and the route is to be {dict(view.gets)}"


def line_10_who_becomes_stable_has_the_pods_for_it(view: View, _past: Past) -> None:
    old, new = name_of(view.before.stable), view.stable
    if old is None or old == new:
        return
    assert new == name_of(view.before.candidate), f"{new} became stable, and was no candidate"
    if view.seen.mesh:
        assert view.had.get(new or "") == 100, f"{new} became stable at {view.had.get(new or '')} %"
    else:
        pods, needs = view.available(new), view.needs(100)
        assert pods >= needs, f"{new} became stable with {pods} of {needs} pods"


def line_12_a_rejection_comes_in_time_and_with_its_cause(view: View, past: Past) -> None:
    rejected, was = view.after.rejected, view.before.rejected
    if rejected is None or view.before.candidate is None or (was is not None and was.time == rejected.time):
        return
    if rejected.reason in BY_HAND or rejected.revision != view.before.candidate.revision:
        return
    obstacle = view.seen.backend(rejected.revision).obstacle
    reasons = {obstacle.reason.value if obstacle is not None else "DeadlineExceeded", "Unstable"}
    assert rejected.reason in reasons, f"rejected for {rejected.reason}, and it was {reasons}"
    stopped = view.spec.rollout.allow_downtime and obstacle is not None
    if rejected.reason == "Unstable" or stopped or not past.clocked or past.begun is None:
        return
    waited = (view.look.now - past.begun).total_seconds()
    assert waited >= view.spec.rollout.deadline_seconds, f"rejected after {waited} s, before its deadline"


def line_14_the_status_says_what_the_route_says(view: View, _past: Past) -> None:
    traffic, generation = view.after.traffic, view.look.resource.meta.generation
    if traffic is not None and view.seen.mesh:
        told, true = (traffic.stable, traffic.candidate), (view.had.get(view.stable or "", 0), view.candidate_had)
        assert told == true, f"the status tells {told} and the route has {true}"
    assert view.after.observed_generation == generation, "the status speaks of another generation"
    stale = [claim.type for claim in view.after.conditions if claim.observed_generation != generation]
    assert not stale, f"{stale} speak of another generation"


def line_14_ready_is_never_a_lie(view: View, _past: Past) -> None:
    claims = {claim.type.value: claim.status for claim in view.after.conditions}
    if claims.get("Ready") != "True":
        return
    assert view.available(view.stable) > 0, "Ready, and stable has no pod"
    assert view.wish() in (view.stable, view.candidate), "Ready, and the spec asks for another revision"
    if view.seen.mesh:
        asked = view.asked() if view.candidate is not None else 0
        assert view.candidate_had == asked, f"Ready, with {view.candidate_had} of {asked} %"
        assert view.had.get(view.stable or "", 0) == 100 - asked, f"Ready, with the route {dict(view.had)}"


def line_15_nothing_of_the_users_is_written(view: View, _past: Past) -> None:
    kinds = {body["kind"] for body in (*view.plan.objects, *view.plan.removals)}
    assert "ModelDeployment" not in kinds, "the ModelDeployment itself is among the objects"


def line_16_an_autoscaler_takes_nothing_from_stable_mid_run(view: View, _past: Past) -> None:
    if view.after.run is None or view.no_surge:
        return
    for body in view.plan.objects:
        if body["kind"] == "HorizontalPodAutoscaler" and body["metadata"]["name"] == view.stable:
            spec = body["spec"]
            assert spec.get("behavior") == {"scaleDown": {"selectPolicy": "Disabled"}}, "stable may shrink mid-run"
            assert spec["maxReplicas"] >= view.desired(view.stable), "stable's autoscaler cuts it down mid-run"


def line_17_a_shadow_changes_no_weight(view: View, _past: Past) -> None:
    if view.planned is not None and view.candidate in view.planned.mirrors:
        assert dict(view.planned.weights) == {view.stable: 100}, f"mirrored, with {dict(view.planned.weights)}"


def line_17_a_challenger_is_never_served(view: View, _past: Past) -> None:
    name = view.challenger
    if name is None:
        return
    assert name not in (view.stable, view.candidate, view.front), f"{name} is the challenger, and serves"
    served = [] if view.planned is None else [*view.planned.weights, view.planned.matched]
    assert name not in served, f"{name} is the challenger, and is to be given requests"


def line_17_a_challenger_moves_no_rollout(view: View, _past: Past) -> None:
    named = view.candidate is not None and view.candidate != name_of(view.before.candidate)
    rolled_back = any(each.verb == "rollback" for each in view.answered)
    if named and not rolled_back and view.before.stable is not None:
        assert view.candidate == view.wish(), f"{view.candidate} became the candidate, and nobody asked for it"


def decision_5_weight_never_exceeds_what_was_wanted(view: View, _past: Past) -> None:
    gets = view.planned.weights.get(view.candidate or "", 0) if view.planned is not None else 0
    assert gets <= view.asked(), f"{view.candidate} is to get {gets} % and {view.asked()} % is asked for"


def decision_7_a_pause_holds_the_share_that_was_there(view: View, _past: Past) -> None:
    old, new = view.before.run, view.after.run
    if new is None or new.paused_at is None or view.candidate is None:
        return
    if any((each.verb, each.outcome) == ("pause", "Done") for each in view.answered):
        assert new.paused_at <= view.candidate_had, f"paused at {new.paused_at} with {view.candidate_had} %"
    elif view.same_run and old is not None and old.paused_at is not None:
        assert new.step == old.step or new.steps != old.steps, "a paused run went on to its next step"
        assert new.paused_at <= old.paused_at, "a pause let the share rise"


def decision_7_a_step_is_not_passed_before_its_gate_opens(view: View, past: Past) -> None:
    old, new = view.before.run, view.after.run
    if old is None or new is None or not view.same_run or new.step <= old.step or old.steps != new.steps:
        return
    assert new.step == old.step + 1, f"from step {old.step} to {new.step} at once"
    if any((each.verb, each.outcome) == ("resume", "Done") for each in view.answered):
        return
    pause = old.steps[old.step].pause
    if pause is None:
        assert view.shows(old), "a step was passed without its share"
        return
    length = pause.length()
    assert length is not None, "a step that a person ends was passed by itself"
    if past.clocked:
        shown = past.shown.get((old.started, old.step))
        assert shown is not None, "a step was passed whose share nobody saw"
        waited = view.look.now - shown
        assert waited >= length, f"a step of {length} was passed after {waited}"


def decision_7_a_verb_with_a_stale_name_changes_nothing(view: View, _past: Past) -> None:
    if view.before.stable is None:
        return
    candidate = name_of(view.before.candidate)
    for each in view.answered:
        target = (each.value.split() or [""])[0]
        if each.verb in ("abort", "pause", "promote", "resume") and target != candidate:
            assert each.outcome == "Refused", f"{each.verb} of {target} was done to {candidate}"
        if each.outcome == "Refused":
            assert _decided(view.before) == _decided(view.after), f"{each.verb} was refused and changed something"


def _decided(status: ModelDeploymentStatus) -> tuple[Any, ...]:
    run = status.run
    plan = (run.kind, run.started, run.paused_at, run.full) if run is not None else None
    return status.phase, name_of(status.stable), name_of(status.candidate), plan


def decision_7_what_became_of_a_verb_is_kept_while_it_stands(view: View, _past: Past) -> None:
    told = {each.verb for each in view.after.commands}
    assert told <= view.look.resource.verbs.keys(), f"{told} are answered, and not all of them stand"


def decision_7_there_are_no_more_pods_than_there_is_room_for(view: View, _past: Past) -> None:
    run = view.after.run
    if not view.no_surge or run is None or view.candidate is None or view.stable is None:
        return
    made = {body["metadata"]["name"] for body in view.plan.objects if body["kind"] == "Deployment"}
    wanted = {
        name: view.scales.get(name, view.desired(name) if view.seen.backend(name).deployed else int(name in made))
        for name in (view.stable, view.candidate)
    }
    # what either side has carries until the route is seen with what it is to have
    had_by_stable = view.had.get(view.stable, 0) if view.seen.route is not None else 100  # by the front Service
    of_stable = max(had_by_stable, view.gets.get(view.stable, 0))
    of_candidate = max(view.had.get(view.candidate, 0), view.gets.get(view.candidate, 0))
    carries = left(run.full, of_stable) - 1 + math.ceil(run.full * of_candidate / 100)
    # a changed policy adds none to what stands; stable's Deployment is made anew if somebody deleted it
    anew = not view.seen.backend(view.stable).deployed
    standing = sum(view.desired(name) for name in wanted) + anew
    most = max(run.full, carries, standing)
    assert sum(wanted.values()) <= most, f"{wanted} pods are wanted where there is room for {most}"


def history_is_no_longer_than_asked(view: View, _past: Past) -> None:
    kept = [each for each in view.after.history if each.revision.revision not in (view.candidate, view.challenger)]
    assert len(kept) <= view.spec.rollout.history, f"{len(kept)} revisions are kept"
    assert len(view.after.decisions) <= 10, "more than ten decisions are kept"


def nobody_is_woken_for_nothing(view: View, _past: Past) -> None:
    wake = view.plan.wake_after
    assert wake is None or wake > 0, f"it looks again after {wake} s"


OF_A_LOOK: tuple[Callable[[View, Past], None], ...] = tuple(
    promise
    for name, promise in list(globals().items())
    if name.startswith(("line_", "decision_", "history_", "nobody_")) and promise.__module__ == __name__
)


def of_a_look(past: Past, look: Look) -> Past:
    """Hold a look to every promise that can be seen in it."""
    view = View(look)
    foreign = past.status is not None and look.resource.status is not past.status
    past = replace(watched(past, view), clocked=past.clocked and not foreign)
    for promise in OF_A_LOOK:
        promise(view, past)
    return past
