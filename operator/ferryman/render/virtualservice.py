"""The route: a split becomes Istio weights and a mirror, chosen requests a rule before it.

A revision without a share, a mirror or chosen requests is not named at all.
"""

from __future__ import annotations

import re
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta, Routing
from ferryman.api.rollout import Cookie, Match
from ferryman.render import meta, names
from ferryman.rollout.traffic import Split

# A prediction changes nothing, so a second attempt is safe when the first never reached a living pod.
RETRIES = {"attempts": 3, "retryOn": "connect-failure,refused-stream,unavailable,reset,503"}


def virtual_service(
    owner: ObjectMeta, routing: Routing, matches: list[Match], split: Split, domain: str
) -> dict[str, Any]:
    """Return the route of a ModelDeployment, for its gateways and for clients in the mesh."""
    rules = [_everyone(owner, split, domain)]
    if split.matched and split.candidate is not None:
        rules.insert(0, _chosen(owner, matches, split.candidate, domain))
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": meta.metadata(owner, owner.name),
        "spec": {
            "hosts": [*routing.hosts, names.host(owner.name, owner.namespace, domain)],
            "gateways": [*routing.gateways, "mesh"],
            "http": rules,
        },
    }


def _everyone(owner: ObjectMeta, split: Split, domain: str) -> dict[str, Any]:
    """Return the rule for every request that was not chosen."""
    rule: dict[str, Any] = {
        "route": [
            {"destination": _destination(owner, address, domain), "weight": weight}
            for address, weight in _weights(split)
        ],
        "retries": RETRIES,
    }
    if split.candidate is not None and split.mirror_percent > 0:
        rule["mirror"] = _destination(owner, split.candidate, domain)
        rule["mirrorPercentage"] = {"value": split.mirror_percent}
    return rule


def _chosen(owner: ObjectMeta, matches: list[Match], candidate: str, domain: str) -> dict[str, Any]:
    """Return the rule for chosen requests, which may fall back as a candidate's others do."""
    return {
        "match": [{"headers": _headers(match)} for match in matches],
        "route": [{"destination": _destination(owner, names.canary(candidate), domain), "weight": 100}],
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


def _destination(owner: ObjectMeta, address: str, domain: str) -> dict[str, Any]:
    return {
        "host": names.host(address, owner.namespace, domain),
        "port": {"number": names.SERVICE_PORT},
    }
