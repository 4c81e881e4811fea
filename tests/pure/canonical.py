"""When two states of the small world are the same.

What the key leaves out, the planner cannot decide by. Times become how many of their thresholds have passed: the
planner compares a clock with its thresholds and with nothing else, so two ages between the same thresholds lead to
the same decisions. While a run is held, its deadline stands still at the age that it had. Messages, conditions,
decisions and what is told of the last run are written and never read by a decision; neither is the memory on the
front Service while the status is there, nor the times at which a revision took its role. Revisions are called by the
role that they play, not by their hash: the planner knows no other difference between them. What the contract
remembers of the past is part of the key as far as a promise can still break by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pure import clocks, contract
from pure.simulation import SETTINGS, START, Cluster

from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.render import names, revision


def name_of(cluster: Cluster, uri: str) -> str:
    """Return the revision that serves a model: all revisions of the small world differ by their model alone."""
    if uri not in _NAMES:
        resource, resolved = cluster.resource(), cluster.resolved()
        model = resolved.model_copy(update={"uri": uri, "requested": uri})  # type: ignore[union-attr]
        _NAMES[uri] = revision.wished("fraud", resource.spec, model, SETTINGS, START).revision
    return _NAMES[uri]


_NAMES: dict[str, str] = {}


def double(cluster: Cluster) -> Cluster:
    """Return another cluster in the same state, as `clone` does, only sooner: what is in its fields never changes."""
    twin = object.__new__(Cluster)
    for name, value in vars(cluster).items():
        twin.__dict__[name] = value.copy() if type(value) in (dict, set, list) else value
    return twin


class _Roles(dict[str, int]):
    """Numbers revisions in the order in which they are first spoken of."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]


def key(cluster: Cluster) -> tuple[Any, ...]:
    """Return what tells a state from another one."""
    status, now, role = cluster.status, cluster.now, _Roles({"": -1})
    rollout = cluster.spec.get("rollout", {})
    asked = role[name_of(cluster, cluster.spec["model"]["uri"])]
    decided = (
        status.phase and status.phase.value,
        role[status.stable.revision] if status.stable is not None else None,
        (role[status.candidate.revision], status.candidate.served) if status.candidate is not None else None,
        _run_key(cluster),
        role[status.challenger.revision] if status.challenger is not None else None,
        [
            (role[each.revision.revision], _age(now, each.unrouted_since, clocks.warm(cluster)))
            for each in status.history
        ],
        [(role[each.revision.revision], _age(now, each.unrouted_since, [clocks.DRAIN])) for each in status.retiring],
        role[status.rejected.revision] if status.rejected is not None else None,
        role[status.withdrawn] if status.withdrawn is not None else None,
    )
    heard = {command.verb: command.value for command in status.commands}
    said = sorted(cluster.verbs.items())
    new = [(verb, role[value.split()[0]]) for verb, value in said if heard.get(verb) != value]
    shadow, others = rollout.get("shadow", {}), {name: one for name, one in rollout.items() if name != "shadow"}
    copied = role[name_of(cluster, shadow["uri"])] if "uri" in shadow else None
    spec = (asked, copied, shadow.get("percent"), str(sorted(others.items())), str(cluster.spec.get("scaling")))
    return spec, decided, new, *_objects(cluster, role)


def _run_key(cluster: Cluster) -> Any:
    status, run = cluster.status, cluster.status.run
    if run is None:
        return None
    if status.candidate is None:
        return run.full  # all that is looked at of a run whose candidate has left
    ages = {name.split()[0]: cluster.now - since >= limits[0] for name, since, limits, _ in clocks.running(cluster)}
    deadline = ages.get("deadline")
    if run.held_since is not None and status.phase is Phase.STARTING:
        seconds = cluster.spec.get("rollout", {}).get("deadlineSeconds", 600)
        deadline = run.held_since - status.candidate.since >= timedelta(seconds=seconds)
    plan = [(step.traffic_percent, step.shadow_percent, step.pause is not None) for step in run.steps]
    return (
        run.kind.value, plan, run.step, run.step_since is not None, ages.get("step_since"),
        run.paused_at, run.promote_over, run.full, run.held_since is not None, deadline,
        run.losses, ages.get("lost_at"), run.steady_since is not None, ages.get("steady_since"),
    )  # fmt: skip


def _age(now: datetime, since: datetime | None, thresholds: list[timedelta]) -> int | None:
    return None if since is None else sum(now - since >= threshold for threshold in thresholds)


def _objects(cluster: Cluster, role: _Roles) -> tuple[Any, ...]:
    """Return the children in short, the pods, and what the promises are checked by."""
    standing, front, route = list[Any](), None, None
    for body in cluster.children.values():
        kind, second, owner, bounds, says = _short(body)
        if owner is not None:
            standing.append((kind, second, role[owner], bounds))
        elif kind == "Service":
            front = role[says]
        else:
            weights = sorted((role[name], weight) for name, weight in says.weights.items())
            mirrors = sorted((role[name], share) for name, share in says.mirrors.items())
            route = (weights, mirrors, says.matched and role[says.matched])
    pods = sorted((role[name], desired, cluster.available.get(name, 0)) for name, desired in cluster.desired.items())
    broken = sorted(role[name_of(cluster, uri)] for uri in cluster.broken)
    return sorted(standing), front, route, pods, broken, _remembered(cluster, role)


def _short(body: dict[str, Any]) -> tuple[str, bool, str | None, tuple[Any, ...], Any]:
    """Return a child in short: its kind, whether it is a revision's second, whose it is, its bounds, what it says."""
    known = _SHORT.get(id(body))
    if known is None:
        kind, name, spec = body["kind"], body["metadata"]["name"], body["spec"]
        owner = body["metadata"]["labels"].get(names.LABEL_REVISION)
        bounds = (spec["minReplicas"], spec["maxReplicas"], "behavior" in spec) if "minReplicas" in spec else ()
        says = spec["selector"][names.LABEL_REVISION] if kind == "Service" and owner is None else None
        says = contract.route_of(body) if kind == "VirtualService" else says
        if len(_SHORT) > 50_000:
            _SHORT.clear()
        known = _SHORT[id(body)] = body, (kind, name != owner, owner, bounds, says)
    return known[1]


_SHORT: dict[int, tuple[dict[str, Any], tuple[str, bool, str | None, tuple[Any, ...], Any]]] = {}
"""Children that were read before, with the child itself, so that nothing else gets its number."""


def _remembered(cluster: Cluster, role: _Roles) -> tuple[Any, ...]:
    """Return what the contract remembers: who is out, and which of its clocks started after the operator's."""
    status, now, past = cluster.status, cluster.now, cluster.past
    own = _own_clocks(status)
    late_drains = sorted(
        (role[name], now - at >= clocks.DRAIN)
        for name, at in cluster.unrouted_since.items()
        if (own.get(name) or now) < at
    )
    routed = sorted(role[name] for name in cluster.routed)
    out = sorted(role[name] for name in past.rejected), sorted(role[name] for name in cluster.deleted_by_hand)
    run, late = status.run, None
    if status.candidate is not None and run is not None:
        shown = past.shown.get((run.started, run.step)) if run.steps else None
        starting = status.phase is Phase.STARTING and past.begun is not None
        late = (
            starting and past.begun is not None and past.begun > status.candidate.since,
            shown is not None and (run.step_since is None or shown > run.step_since),
        )
    return routed, late_drains, out, late


def _own_clocks(status: ModelDeploymentStatus) -> dict[str, datetime | None]:
    return {each.revision.revision: each.unrouted_since for each in (*status.history, *status.retiring)}


def strictest(cluster: Cluster) -> None:
    """Put a state into the form that stands for all that have its key.

    Children stand as an apiserver lists them. Where the operator's clock of a revision that lost its traffic does not
    run, the contract's begins now: the pods of no such revision may go, however long ago that was.
    """
    cluster.children = dict(sorted(cluster.children.items()))
    own = _own_clocks(cluster.status)
    cluster.unrouted_since = {
        name: at if own.get(name) else cluster.now for name, at in cluster.unrouted_since.items()
    }
