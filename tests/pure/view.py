"""What a look saw and decided, worked out once: the contract counts pods and shares by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pure.looks import Look

from ferryman.api.revision import Revision
from ferryman.api.rollout import Surge
from ferryman.api.run import Run, RunKind
from ferryman.observed import Route
from ferryman.outcome import Unresolved
from ferryman.render import names
from ferryman.render import revision as revisions
from ferryman.settings import Settings


def name_of(revision: Revision | None) -> str | None:
    return revision.revision if revision is not None else None


def route_of(virtual_service: dict[str, Any]) -> Route:
    """Read a route back from its text."""
    *chosen, calls, rule = virtual_service["spec"]["http"]
    assert [each["weight"] for each in calls["route"]] == [each["weight"] for each in rule["route"]]
    mirrors, of_calls = _mirrors(rule), _mirrors(calls)
    assert mirrors == of_calls
    matched = chosen[0]["route"][0]["destination"]["host"] if chosen else None
    return Route(
        weights={names.revision_of_host(d["destination"]["host"]): d["weight"] for d in rule["route"]},
        mirrors=mirrors,
        matched=names.revision_of_host(matched) if matched else None,
    )


def _mirrors(rule: dict[str, Any]) -> dict[str, int]:
    assert "mirror" not in rule, "Istio refuses a rule with both"
    return {
        names.revision_of_host(m["destination"]["host"]): m["percentage"]["value"] for m in rule.get("mirrors", [])
    }


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
        self.stable, self.candidate = name_of(self.after.stable), name_of(self.after.candidate)
        self.challenger = name_of(self.after.challenger)
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
        began = (old.started, name_of(self.before.candidate)) if old is not None else None
        return new is not None and began == (new.started, self.candidate)

    @property
    def candidate_had(self) -> int:
        """Return the candidate's share of traffic as the route says it."""
        return self.had.get(self.candidate or "", 0)

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
        everything = self.everything(name_of(self.before.stable) or self.stable)
        pods = max(1, math.ceil(everything * share / 100))
        return min(pods, max(everything - 1, 1)) if self.no_surge else pods

    def shows(self, run: Run) -> bool:
        """Tell whether the route shows exactly the share of a run's step, and the candidate has a pod."""
        step, name = run.steps[run.step], name_of(self.before.candidate or self.after.candidate) or ""
        route = self.seen.route
        mirrored = route.mirrors.get(name, 0) if route is not None else 0
        shown = (self.had.get(name, 0), mirrored)
        return shown == (step.traffic_percent or 0, step.shadow_percent or 0) and self.available(name) > 0

    def asked(self) -> int:
        """Return the most traffic that anybody asked for the candidate to have."""
        run, rollout = self.after.run, self.spec.rollout
        share = 0 if rollout.shadow is not None and rollout.shadow.uri is None else 100
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
