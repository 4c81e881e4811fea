"""Oracle I1: whether a request would have been served, judged at every state that the store ever held.

There is no data plane at this tier, so Envoy is judged by what it is told: a route leads to Services, those to ready
pods. That is stricter than a client: a state that stood for a millisecond counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from campaign.past import Version
from ferryman.cluster import kinds
from ferryman.cluster.kinds import Kind

Body = dict[str, Any]
Split = tuple[tuple[str, int], ...]
"""Shares by address, sorted."""
State = dict[tuple[Kind, str], Body]


@dataclass(frozen=True, slots=True)
class Loss:
    """A time in which a request could have failed, by what is stored."""

    what: str
    seconds: float


def lost(versions: Iterable[Version], name: str) -> list[Loss]:
    """Return every time in which a request to one ModelDeployment could have failed, from its first ready pod on."""
    state: State = {}
    found: list[Loss] = []
    served = False
    since, what = 0.0, ""
    for version in versions:
        key = (version.kind, version.name)
        if version.body is None:
            state.pop(key, None)
        else:
            state[key] = version.body
        owner = state.get((kinds.MODEL_DEPLOYMENT, name))
        there = owner is not None and not owner["metadata"].get("deletionTimestamp")
        faults = [*_front(state, name), *_route(state, name)] if there else []
        # what is being deleted need not serve, nor what begins, beside remains of an earlier one of its name
        served = there and (served or (not faults and _serves(owner)))
        if faults and served and not what:
            since, what = (
                version.at,
                f"at {version.revision} ({version.kind.name} {version.name}): {'; '.join(faults)}",
            )
        elif what and not (faults and served):
            found.append(Loss(what, version.at - since))
            what = ""
    return [*found, Loss(what, math.inf)] if what else found


def _serves(owner: Body | None) -> bool:
    return bool(((owner or {}).get("status") or {}).get("stable"))


def routes(versions: Iterable[Version], name: str) -> list[Split]:
    """Return the splits that the route went through, each with its mirror, without repeats in a row."""
    gone: list[Split] = []
    for version in versions:
        if version.kind == kinds.VIRTUAL_SERVICE and version.name == name and version.body is not None:
            now = split(version.body)
            if not gone or gone[-1] != now:
                gone.append(now)
    return gone


def split(route: Body) -> Split:
    """Return the shares that a route gives everyone's requests, by address, and its mirror."""
    rule = (route["spec"].get("http") or [{"route": []}])[-1]
    shares = [(_service(each["destination"]), each.get("weight", 100)) for each in rule["route"]]
    shares += [
        (f"mirror {_service(mirror['destination'])}", int(mirror["percentage"]["value"]))
        for mirror in rule.get("mirrors", [])
    ]
    return tuple(sorted(shares))


def _front(state: State, name: str) -> list[str]:
    service = state.get((kinds.SERVICE, name))
    if service is None:
        return [f"no Service {name}"]
    return [] if _endpoints(state, service) else [f"no ready pod behind Service {name}"]


def _route(state: State, name: str) -> list[str]:
    route = state.get((kinds.VIRTUAL_SERVICE, name))
    if route is None:
        return []  # without it, clients reach the front Service
    found = []
    for rule in route["spec"].get("http") or [{"route": []}]:
        weights = [each.get("weight", 100) for each in rule["route"]]
        if sum(weights) != 100:
            found.append(f"weights {weights}")
        for each in rule["route"]:
            found += _destination(state, _service(each["destination"]), pods=True)
        for mirror in rule.get("mirrors", []):
            found += _destination(state, _service(mirror["destination"]), pods=False)
    return found


def _destination(state: State, service: str, *, pods: bool) -> list[str]:
    body = state.get((kinds.SERVICE, service))
    if body is None:
        return [f"the route leads to Service {service}, which is not there"]
    if (kinds.DESTINATION_RULE, service) not in state:
        return [f"the route leads to {service}, which has no DestinationRule"]
    if pods and not _endpoints(state, body):
        return [f"the route leads to Service {service}, which has no ready pod"]
    return []


def _service(destination: Body) -> str:
    return str(destination["host"]).split(".", 1)[0]


def _endpoints(state: State, service: Body) -> list[str]:
    selector = (service["spec"].get("selector") or {}).items()
    return [
        name
        for (kind, name), body in state.items()
        if kind == kinds.POD and _ready(body) and selector <= (body["metadata"].get("labels") or {}).items()
    ]


def _ready(pod: Body) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
