"""The contract as code: what must hold of every look, of every write, and of a rollout that has come to rest.

A function is named by the line of the design's contract that it holds the operator to, or by the decision. It counts
pods and shares by itself, so that a fault of the planner's own arithmetic is one here. Nothing in here is changed to
let a planner pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pure.looks import Key, Look, Write

from ferryman.api.revision import Revision
from ferryman.api.rollout import Surge
from ferryman.api.run import Run, RunKind
from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.observed import Route
from ferryman.outcome import Unresolved
from ferryman.render import names
from ferryman.render import revision as revisions
from ferryman.settings import Settings

if TYPE_CHECKING:
    from pure.simulation import Cluster

DRAIN = timedelta(seconds=10)
BY_HAND = {"Aborted", "RolledBack"}
"""The reasons of a rejection that a person told."""


@dataclass(frozen=True)
class Past:
    """What a promise about time or order has to remember. Nothing in it is ever changed in place."""

    status: ModelDeploymentStatus | None = None
    """The status as the operator wrote it last."""
    clocked: bool = True
    """No one else wrote the status, so that its clocks can be held against these."""
    shown: Mapping[tuple[datetime, int], datetime] = field(default_factory=dict)
    """When a look first saw the share of a step, by the run's beginning and the step."""
    begun: datetime | None = None
    """When the candidate began to start, for the first time or after its last loss."""
    rejected: frozenset[str] = frozenset()
    """The revisions that may not be a candidate until the spec names another or a person tells."""


# --- what is remembered ---------------------------------------------------------------------


def asked_of(past: Past, _cluster: Cluster, sections: Mapping[str, Any]) -> Past:
    """The user changed the spec; one that names another revision forgives."""
    return replace(past, rejected=frozenset()) if sections.keys() & {"model", "server"} else past


def told_of(past: Past, verb: str, value: str | None) -> Past:
    """A person told something."""
    if value is None or not value.split() or verb not in ("retry", "rollback"):
        return past
    forgiven = {value.split()[0]} if verb == "retry" else past.rejected
    return replace(past, rejected=past.rejected - forgiven)


def wiped(past: Past, cluster: Cluster) -> Past:
    """The status is gone; what the front Service does not remember yet is lost with it."""
    front = cluster.children.get(("Service", "fraud"))
    memory = cluster.memory(front) if front is not None else None
    kept = {memory.rejected.revision} if memory is not None and memory.rejected is not None else set()
    last = past.status.candidate if past.status is not None else None
    same = (
        memory is not None
        and memory.candidate is not None
        and last is not None
        and memory.candidate.since == last.since
    )
    return replace(past, status=cluster.status, rejected=past.rejected & kept, begun=past.begun if same else None)


def set_back(past: Past, by: timedelta) -> Past:
    """The clock was set back; what it has shown so far counts as before."""
    shown = {step: since - by for step, since in past.shown.items()}
    return replace(past, shown=shown, begun=past.begun - by if past.begun is not None else None)


def _recorded(past: Past, write: Write, now: datetime) -> Past:
    """A status stands."""
    new, rejected = write.body, write.body.rejected
    newly = {rejected.revision} if rejected is not None and rejected.time == write.look.now else set()
    begins = new.candidate is not None and new.candidate.since == write.look.now
    return replace(
        past,
        status=new,
        begun=min(write.look.now, now) if begins else past.begun,
        rejected=past.rejected | newly,
    )


def _watched(past: Past, view: View) -> Past:
    """Remember when the share of the step that is under way was first seen; a loss and another plan begin anew."""
    old, new = view.before.run, view.after.run
    anew = old is not None and new is not None and (old.lost_at != new.lost_at or old.steps != new.steps)
    shown = {} if anew else dict(past.shown)
    for run in (old, new):
        if run is not None and run.steps and view.shows(run):
            shown.setdefault((run.started, run.step), view.look.now)
    return replace(past, shown=shown)


# --- what a look saw and decided ------------------------------------------------------------


def _name(revision: Revision | None) -> str | None:
    return revision.revision if revision is not None else None


def route_of(virtual_service: dict[str, Any]) -> Route:
    """Read a route back from its text."""
    *chosen, rule = virtual_service["spec"]["http"]
    mirror = rule.get("mirror")
    matched = chosen[0]["route"][0]["destination"]["host"] if chosen else None
    return Route(
        weights={names.revision_of_host(d["destination"]["host"]): d["weight"] for d in rule["route"]},
        mirror=names.revision_of_host(mirror["host"]) if mirror else None,
        mirror_percent=rule.get("mirrorPercentage", {}).get("value", 0),
        matched=names.revision_of_host(matched) if matched else None,
    )


def left(full: int, share: int) -> int:
    """Return the pods that stable's share needs of all that there is room for.

    A candidate's share is its whole pods of all pods, rounded down: what the rounding leaves to stable needs no pod.
    """
    return full - (math.ceil((100 - share + 1) * full / 100) - 1)


class View:
    """A look, with what follows from it worked out once."""

    def __init__(self, look: Look) -> None:
        self.look, self.plan = look, look.plan
        self.spec, self.seen = look.resource.spec, look.observed
        self.before, self.after = look.resource.status, look.plan.status
        self.stable, self.candidate = _name(self.after.stable), _name(self.after.candidate)
        self.planned: Route | None = None
        self.front: str | None = None
        for body in self.plan.objects:
            if body["kind"] == "VirtualService":
                self.planned = route_of(body)
            if body["kind"] == "Service" and body["metadata"]["name"] == look.resource.meta.name:
                self.front = body["spec"]["selector"][names.LABEL_REVISION]
        self.had: Mapping[str, int] = self.seen.route.weights if self.seen.route is not None else {}
        self.gets: Mapping[str, int] = self.planned.weights if self.planned is not None else self.had
        said = {(command.verb, command.value) for command in self.before.commands}
        known = self.before.stable is not None  # else what was told is read back from memory
        self.answered = [one for one in self.after.commands if known and (one.verb, one.value) not in said]
        self.no_surge = self.spec.rollout.surge is Surge.NO_SURGE
        self.scales = {scale.deployment: scale.replicas for scale in self.plan.scales}

    @property
    def same_run(self) -> bool:
        """Tell whether the candidate's run goes on."""
        old, new = self.before.run, self.after.run
        began = (old.started, _name(self.before.candidate)) if old is not None else None
        return new is not None and began == (new.started, self.candidate)

    def available(self, revision: str | None) -> int:
        return self.seen.backend(revision or "").available

    def desired(self, revision: str | None) -> int:
        return self.seen.backend(revision or "").desired

    def everything(self, stable: str | None) -> int:
        """Return how many pods carry all traffic."""
        run = self.after.run or self.before.run
        if self.no_surge and run is not None:
            return run.full
        least, most = self.spec.scaling.least, self.spec.scaling.most
        return min(max(least, self.desired(stable)), max(least, most))

    def needs(self, share: int) -> int:
        """Return how many pods a candidate needs for a share."""
        everything = self.everything(_name(self.before.stable) or self.stable)
        pods = max(1, math.ceil(everything * share / 100))
        return min(pods, max(everything - 1, 1)) if self.no_surge else pods

    def shows(self, run: Run) -> bool:
        """Tell whether the route shows exactly the share of a run's step, and the candidate has a pod."""
        step, name = run.steps[run.step], _name(self.before.candidate or self.after.candidate) or ""
        route = self.seen.route
        mirrored = route.mirror_percent if route is not None and route.mirror == name else 0
        shown = (self.had.get(name, 0), mirrored)
        return shown == (step.traffic_percent or 0, step.shadow_percent or 0) and self.available(name) > 0

    def asked(self) -> int:
        """Return the most traffic that anybody asked for the candidate to have."""
        run, rollout = self.after.run, self.spec.rollout
        share = 0 if rollout.shadow is not None else 100
        if rollout.canary is not None and rollout.canary.traffic_percent is not None:
            share = rollout.canary.traffic_percent
        if run is not None and run.steps:
            share = run.steps[run.step].traffic_percent or 0
        if run is not None and (run.kind is RunKind.ROLLBACK or run.promote_over is not None):
            share = 100
        return share if run is None or run.paused_at is None else min(share, run.paused_at)

    def wish(self) -> str | None:
        """Return the revision that the spec asks for."""
        if isinstance(self.look.resolved, Unresolved):
            return None
        name = self.look.resource.meta.name
        return revisions.wished(name, self.spec, self.look.resolved, Settings(), self.look.now).revision


def line_1_a_candidate_gets_traffic_only_with_ready_pods(view: View, _past: Past) -> None:
    route = view.planned
    if route is None:
        return
    for name in {*route.weights, *filter(None, (route.mirror, route.matched))} - {view.stable}:
        assert name == view.candidate, f"{name} is neither stable nor candidate, and is to be routed"
        assert view.available(name) > 0, f"{name} has no ready pod, and is to be routed"


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
    name = _name(view.before.candidate) or ""
    if not view.had.get(name) or view.available(name) or not view.available(_name(view.before.stable)):
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
    if view.candidate is None or view.candidate == _name(view.before.candidate):
        return
    assert view.candidate not in past.rejected, f"{view.candidate} was rejected, and is a candidate again"


def line_8_a_third_revision_starts_at_weight_zero(view: View, _past: Past) -> None:
    was, run = _name(view.before.candidate), view.after.run
    if was is None or view.candidate in (None, was) or view.before.stable is None:
        return
    left = [each.revision.revision for each in (*view.after.retiring, *view.after.history)]
    assert view.stable == _name(view.before.stable), "another candidate was named, and stable changed"
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
    stable, rejected = _name(view.before.stable), view.before.rejected
    if view.before.candidate is None or stable is None or view.wish() != stable:
        return
    if rejected is not None and rejected.revision == stable:
        return
    assert view.candidate is None, f"the spec asks for {stable}, and {view.candidate} is rolled out still"
    assert set(view.gets) <= {stable}, f"the spec asks for {stable}, and the route is to be {dict(view.gets)}"


def line_10_who_becomes_stable_has_the_pods_for_it(view: View, _past: Past) -> None:
    old, new = _name(view.before.stable), view.stable
    if old is None or old == new:
        return
    assert new == _name(view.before.candidate), f"{new} became stable, and was no candidate"
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
        told, true = (traffic.stable, traffic.candidate), (view.had.get(view.stable or "", 0), _had(view))
        assert told == true, f"the status tells {told} and the route has {true}"
    assert view.after.observed_generation == generation, "the status speaks of another generation"
    stale = [claim.type for claim in view.after.conditions if claim.observed_generation != generation]
    assert not stale, f"{stale} speak of another generation"


def _had(view: View) -> int:
    return view.had.get(view.candidate or "", 0)


def line_14_ready_is_never_a_lie(view: View, _past: Past) -> None:
    claims = {claim.type.value: claim.status for claim in view.after.conditions}
    if claims.get("Ready") != "True":
        return
    assert view.available(view.stable) > 0, "Ready, and stable has no pod"
    assert view.wish() in (view.stable, view.candidate), "Ready, and the spec asks for another revision"
    if view.seen.mesh:
        asked = view.asked() if view.candidate is not None else 0
        assert _had(view) == asked, f"Ready, with {_had(view)} of {asked} %"
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
    if view.planned is not None and view.planned.mirror is not None:
        assert dict(view.planned.weights) == {view.stable: 100}, f"mirrored, with {dict(view.planned.weights)}"


def decision_5_weight_never_exceeds_what_was_wanted(view: View, _past: Past) -> None:
    gets = view.planned.weights.get(view.candidate or "", 0) if view.planned is not None else 0
    assert gets <= view.asked(), f"{view.candidate} is to get {gets} % and {view.asked()} % is asked for"


def decision_7_a_pause_holds_the_share_that_was_there(view: View, _past: Past) -> None:
    old, new = view.before.run, view.after.run
    if new is None or new.paused_at is None or view.candidate is None:
        return
    if any((each.verb, each.outcome) == ("pause", "Done") for each in view.answered):
        assert new.paused_at <= _had(view), f"paused at {new.paused_at} with {_had(view)} %"
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
    candidate = _name(view.before.candidate)
    for each in view.answered:
        target = (each.value.split() or [""])[0]
        if each.verb in ("abort", "pause", "promote", "resume") and target != candidate:
            assert each.outcome == "Refused", f"{each.verb} of {target} was done to {candidate}"
        if each.outcome == "Refused":
            assert _decided(view.before) == _decided(view.after), f"{each.verb} was refused and changed something"


def _decided(status: ModelDeploymentStatus) -> tuple[Any, ...]:
    run = status.run
    plan = (run.kind, run.started, run.paused_at, run.full) if run is not None else None
    return status.phase, _name(status.stable), _name(status.candidate), plan


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
    of_stable = max(view.had.get(view.stable, 0), view.gets.get(view.stable, 0))
    of_candidate = max(view.had.get(view.candidate, 0), view.gets.get(view.candidate, 0))
    carries = left(run.full, of_stable) - 1 + math.ceil(run.full * of_candidate / 100)
    standing = sum(view.desired(name) for name in wanted)  # a policy that was just changed adds none to these
    most = max(run.full, carries, standing)
    assert sum(wanted.values()) <= most, f"{wanted} pods are wanted where there is room for {most}"


def history_is_no_longer_than_asked(view: View, _past: Past) -> None:
    kept = [each for each in view.after.history if each.revision.revision != view.candidate]
    assert len(kept) <= view.spec.rollout.history, f"{len(kept)} revisions are kept"
    assert len(view.after.decisions) <= 10, "more than ten decisions are kept"


def nobody_is_woken_for_nothing(view: View, _past: Past) -> None:
    wake = view.plan.wake_after
    assert wake is None or wake > 0, f"it looks again after {wake} s"


OF_A_LOOK: tuple[Callable[[View, Past], None], ...] = tuple(
    promise
    for name, promise in list(globals().items())
    if name.startswith(("line_", "decision_", "history_", "nobody_"))
)


def of_a_look(past: Past, look: Look) -> Past:
    """Hold a look to every promise that can be seen in it."""
    view = View(look)
    foreign = past.status is not None and look.resource.status is not past.status
    past = replace(_watched(past, view), clocked=past.clocked and not foreign)
    for promise in OF_A_LOOK:
        promise(view, past)
    return past


# --- a write --------------------------------------------------------------------------------


def of_a_write(past: Past, before: Cluster, cluster: Cluster, write: Write) -> Past:
    """Hold what stands after a write to the promises; `before` is the cluster as it stood."""
    if write.verb == "status":
        return _recorded(past, write, cluster.now)
    if write.kind == "VirtualService":
        _line_5_and_19_a_route_leads_to_what_is_there(cluster)
    if write.kind == "Deployment" and write.verb == "apply" and (write.kind, write.name) in before.children:
        old = before.children[write.kind, write.name]
        assert old["spec"]["template"] == write.body["spec"]["template"], f"line 10: {write.name} restarts its pods"
    if write.verb == "scale":
        _line_3_and_4_pods_go_last(before, cluster, write)
    if write.verb == "delete":
        _line_4_and_5_a_backend_goes_last(before, cluster, (write.kind, write.name))
    routed(cluster)
    return past


def _line_5_and_19_a_route_leads_to_what_is_there(cluster: Cluster) -> None:
    route = cluster.route()
    assert route is not None
    weights = route.weights.values()
    assert sum(weights) == 100, f"weights do not sum to 100: {route.weights}"
    assert all(isinstance(weight, int) and weight > 0 for weight in weights), f"not whole: {route.weights}"
    assert route.mirror not in route.weights, "mirrored and weighted at once"
    for name in {*route.weights, *filter(None, (route.mirror, route.matched))}:
        by_hand = name in cluster.deleted_by_hand
        assert cluster.addressed(name) or by_hand, f"{name} is routed and has no address"
        assert ("Deployment", name) in cluster.children or by_hand, f"{name} is routed and has no Deployment"


def _line_3_and_4_pods_go_last(before: Cluster, cluster: Cluster, write: Write) -> None:
    name = write.name
    had, has = before.desired.get(name, 0), cluster.desired.get(name, 0)
    route, stable = cluster.route(), _name(cluster.status.stable)
    if has >= had:
        return
    rollout = cluster.spec.get("rollout", {})
    if has == 0 and name == stable:
        assert rollout.get("allowDowntime"), f"the stable revision {name} is scaled to 0"
    elif has == 0:
        assert route is None or not route.names(name), f"{name} is routed, and scaled to 0"
        if write.look.observed.backend(name).available:  # a pod that never was ready drains nothing
            _drained(cluster, name)
    elif route is not None and name == _name(cluster.status.candidate):
        scaling, run = cluster.resource().spec.scaling, cluster.status.run
        full = min(max(scaling.least, cluster.desired.get(stable or "", 0)), max(scaling.most, scaling.least))
        if rollout.get("surge") == "NoSurge" and run is not None:
            full = max(run.full - 1, 1)
        least = math.ceil(full * route.weights.get(name, 0) / 100)
        assert has >= min(least, had), f"{name} has {route.weights.get(name)} % and is taken from {had} to {has} pods"


def _line_4_and_5_a_backend_goes_last(before: Cluster, cluster: Cluster, key: Key) -> None:
    kind, name = key
    if kind == "HorizontalPodAutoscaler":
        return  # the pods stay
    revision = before.children[key]["metadata"]["labels"][names.LABEL_REVISION]
    route = before.route()
    assert route is None or not route.names(revision), f"{kind} {name} was removed while the route names it"
    assert revision != _name(cluster.status.stable), f"{kind} {name} of the stable revision was removed"
    if kind == "Deployment":
        _drained(cluster, name)
        cluster.routed.discard(name)
        cluster.unrouted_since.pop(name, None)


def _drained(cluster: Cluster, name: str) -> None:
    since = cluster.unrouted_since.get(name)
    if since is not None:
        waited = cluster.now - since
        assert waited >= DRAIN, f"line 4: the pods of {name} go {waited.total_seconds()} s after its traffic"


def routed(cluster: Cluster) -> None:
    """Remember since when the route, and without Istio the front Service, has been without each revision."""
    route, front = cluster.route(), cluster.children.get(("Service", "fraud"))
    served = front["spec"]["selector"][names.LABEL_REVISION] if front is not None else None
    for kind, name in cluster.children:
        if kind == "Deployment":
            if name == served or (route is not None and route.names(name)):
                cluster.routed.add(name)
                cluster.unrouted_since.pop(name, None)
            elif name in cluster.routed:
                cluster.unrouted_since.setdefault(name, cluster.now)


def of_an_autoscaler(before: Cluster, cluster: Cluster, name: str) -> None:
    """Lines 3 and 16: while a run lasts, no autoscaler takes pods from stable that its share needs."""
    run, route, rollout = cluster.status.run, cluster.route(), cluster.spec.get("rollout", {})
    had, has = before.desired[name], cluster.desired[name]
    alone = route is None or set(route.weights) <= {name}
    if name != _name(cluster.status.stable) or run is None or has >= had or alone:
        return
    if rollout.get("surge") == "NoSurge":
        share = route.weights.get(name, 0) if route is not None else 0
        assert has >= max(1, left(run.full, share) - 1), f"stable has {share} % and is cut to {has} pods"
    else:
        assert has >= run.full, f"an autoscaler took stable from {had} to {has} of {run.full} pods"


# --- rest -----------------------------------------------------------------------------------


def _no_surge(cluster: Cluster) -> bool:
    return bool(cluster.spec.get("rollout", {}).get("surge") == "NoSurge")


def at_rest(cluster: Cluster) -> None:
    """Line 18: whatever happened on the way, this is where it ends when nothing happens any more."""
    writes, status = cluster.writes, cluster.status
    for _ in range(3):
        cluster.wait(301)
        cluster.reconcile()
    assert cluster.writes == writes, "it writes although nothing changed"
    assert ModelDeploymentStatus.model_validate(status.to_api()) == status, "the status is read as it was not written"
    assert status.stable is not None, f"nothing serves: {status.phase}"
    assert not status.retiring, "a revision is leaving for ever"
    asked = cluster.spec["model"]["uri"]
    held = status.rejected is not None or status.withdrawn is not None
    assert held or asked in (cluster.stable, cluster.candidate), f"{asked} is asked for and forgotten"
    _rest_of_the_pods(cluster)
    _rest_of_the_objects(cluster)
    _rest_of_the_traffic(cluster)


def _rest_of_the_pods(cluster: Cluster) -> None:
    status = cluster.status
    stable, candidate = _name(status.stable), _name(status.candidate)
    wanted = {name for name, pods in cluster.desired.items() if pods}
    assert stable in wanted, "stable rests without a pod"
    assert wanted <= {stable, candidate}, f"needless pods: {wanted - {stable, candidate}}"
    if candidate is not None and not _no_surge(cluster):
        assert candidate in wanted, "the candidate rests without a pod"
    if status.run is None:
        scaling = cluster.resource().spec.scaling
        pods, most = cluster.desired[stable or ""], max(scaling.least, scaling.most)
        assert scaling.least <= pods <= most, f"stable rests with {pods} pods, outside {scaling.least} to {most}"


def _rest_of_the_objects(cluster: Cluster) -> None:
    status = cluster.status
    serving = {_name(status.stable), _name(status.candidate)} - {None}
    known = serving | {each.revision.revision for each in status.history}
    for kind, name in cluster.children:
        if (kind, name) in {("Service", "fraud"), ("VirtualService", "fraud")}:
            continue
        revision = name.removesuffix(names.CANARY_SUFFIX)
        assert revision in (known if kind == "Deployment" else serving), f"a needless {kind} {name}"


def _rest_of_the_traffic(cluster: Cluster) -> None:
    status, route = cluster.status, cluster.route()
    stable, candidate, run = _name(status.stable), _name(status.candidate), status.run
    front = cluster.children["Service", "fraud"]["spec"]["selector"][names.LABEL_REVISION]
    assert front == stable, "the front Service leads elsewhere"
    if candidate is None:
        assert status.phase is Phase.STABLE, f"at rest in {status.phase} without a candidate"
        assert run is None, "a run without a candidate rests"
        assert route is None or (dict(route.weights), route.mirror) == ({stable: 100}, None), f"at rest: {route}"
    elif status.phase is Phase.STARTING:
        assert run is not None, "a candidate rests while it starts"
        assert run.held_since is not None, f"a candidate rests while it starts, and nobody holds it: {status.waiting}"
    if (
        candidate is None
        and status.rejected is None
        and status.withdrawn is None
        and cluster.available.get(stable or "")
    ):
        assert cluster.condition("Ready")[0] == "True", (
            f"all is as asked, and Ready says {cluster.condition('Ready')}"
        )
