"""The route: a split becomes Istio weights and mirrors, chosen requests a rule before it, gRPC a rule beside each.

A revision without a share, a mirror or chosen requests is not named at all.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ferryman.api.match import Cookie, Match
from ferryman.api.modeldeployment import ObjectMeta, Routing
from ferryman.render import meta, names
from ferryman.rollout.traffic import Split

# A prediction changes nothing, so a second attempt is safe when the first never reached a living pod.
RETRIES = {"attempts": 3, "retryOn": "connect-failure,refused-stream,unavailable,reset,503"}


@dataclass(frozen=True, slots=True)
class Door:
    """One of the ports of a revision's Services, and by what its requests are known."""

    port: int
    headers: dict[str, dict[str, str]]


DOORS = (
    Door(names.SERVICE_GRPC_PORT, {names.CONTENT_TYPE: {"prefix": names.GRPC_CONTENT}}),
    Door(names.SERVICE_PORT, {}),
)
"""In the order of the rules. A gateway has one port for all, so a call is known by its content and not its port."""


def virtual_service(
    owner: ObjectMeta, routing: Routing, matches: list[Match], split: Split, *, domain: str, memory: str
) -> dict[str, Any]:
    """Return the route of a ModelDeployment, for its gateways and for clients in the mesh.

    It bears the digest of the decisions, so that another decision is another route even where it leads to the same: a
    write of an earlier one that is still on its way was meant for a version that has passed, and is refused.
    """
    rules = [_everyone(owner, split, domain, door) for door in DOORS]
    if split.matched and split.candidate is not None:
        rules = [*(_chosen(owner, matches, split.candidate, domain, door) for door in DOORS), *rules]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": meta.metadata(owner, owner.name, annotations={names.ANNOTATION_DECIDED: _digest(memory)}),
        "spec": {
            "hosts": [*routing.hosts, names.host(owner.name, owner.namespace, domain)],
            "gateways": [*routing.gateways, "mesh"],
            "http": rules,
        },
    }


def _digest(memory: str) -> str:
    return hashlib.sha256(memory.encode()).hexdigest()[:16]


def _everyone(owner: ObjectMeta, split: Split, domain: str, door: Door) -> dict[str, Any]:
    """Return the rule for every request at a door that was not chosen."""
    rule: dict[str, Any] = {
        "route": [
            {"destination": _destination(owner, address, domain, door), "weight": weight}
            for address, weight in _weights(split)
        ],
        "retries": RETRIES,
    }
    if door.headers:
        rule["match"] = [{"headers": door.headers}]
    if split.mirrors:
        rule["mirrors"] = [
            {"destination": _destination(owner, revision, domain, door), "percentage": {"value": percent}}
            for revision, percent in split.mirrors.items()
        ]
    return rule


def _chosen(owner: ObjectMeta, matches: list[Match], candidate: str, domain: str, door: Door) -> dict[str, Any]:
    """Return the rule for chosen requests, which may fall back as a candidate's others do."""
    return {
        "match": [{"headers": _headers(match) | door.headers} for match in matches],
        "route": [{"destination": _destination(owner, names.canary(candidate), domain, door), "weight": 100}],
        "retries": RETRIES,
    }


def _headers(match: Match) -> dict[str, dict[str, str]]:
    headers = {header.name: header.to_api() for header in match.headers}
    for conditions in headers.values():
        del conditions["name"]
    if match.cookie is not None:
        headers["cookie"] = {"regex": _cookie(match.cookie)}
    return headers


def _cookie(cookie: Cookie) -> str:
    """Return the pattern of a Cookie header that holds the cookie (RFC 6265, 5.4: pairs parted by `; `)."""
    return rf"(.*; ?)?{re.escape(cookie.name)}={re.escape(cookie.value)}(;.*)?"


def _weights(split: Split) -> list[tuple[str, int]]:
    """Return the addresses and their shares: a candidate's requests may fall back, a stable revision's may not."""
    shares = [(split.stable, split.stable_weight)]
    if split.candidate is not None:
        shares.append((names.canary(split.candidate), split.candidate_weight))
    return [(address, weight) for address, weight in shares if weight > 0]


def _destination(owner: ObjectMeta, address: str, domain: str, door: Door) -> dict[str, Any]:
    return {"host": names.host(address, owner.namespace, domain), "port": {"number": door.port}}
