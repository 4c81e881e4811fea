"""How Envoy talks to one revision's pods, by each of its two addresses.

By its own address a revision is served by its own pods or not at all: that is stable's address, and a shadow's. By
its canary address a request prefers the revision's pods and, in the moment in which there are none, falls back to
the others: Envoy learns of an empty backend a little before it learns of the route without it.
"""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.render import meta, names

# shorter than the server keeps an idle connection, so that Envoy never writes into a closing one
CONNECTIONS = {"http": {"idleTimeout": "30s"}}


def own(owner: ObjectMeta, revision: str, domain: str) -> dict[str, Any]:
    """Return the rule of a revision's own address."""
    policy = {"loadBalancer": {"simple": "LEAST_REQUEST"}, "connectionPool": CONNECTIONS}
    return _rule(owner, revision, revision, policy, domain)


def canary(owner: ObjectMeta, revision: str, domain: str) -> dict[str, Any]:
    """Return the rule of a revision's canary address."""
    policy = {
        "loadBalancer": {
            "simple": "LEAST_REQUEST",
            "localityLbSetting": {
                "enabled": True,
                "failoverPriority": [f"{names.LABEL_REVISION}={revision}"],
            },
        },
        "connectionPool": CONNECTIONS,
        # a pod that cannot be reached is left out for a moment; Istio ranks endpoints only where this is set
        "outlierDetection": {
            "consecutive5xxErrors": 0,
            "consecutiveGatewayErrors": 2,
            "interval": "1s",
            "baseEjectionTime": "3s",
            "maxEjectionPercent": 100,
        },
    }
    return _rule(owner, names.canary(revision), revision, policy, domain)


def _rule(owner: ObjectMeta, name: str, revision: str, policy: dict[str, Any], domain: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": meta.metadata(owner, name, revision),
        "spec": {"host": names.host(name, owner.namespace, domain), "trafficPolicy": policy},
    }
