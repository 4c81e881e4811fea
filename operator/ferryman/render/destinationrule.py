"""How Envoy talks to one revision's pods."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.render import meta, names


def destination_rule(owner: ObjectMeta, revision: str, domain: str) -> dict[str, Any]:
    """Return the DestinationRule of one revision's Service."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": meta.metadata(owner, revision, revision),
        "spec": {
            "host": names.host(revision, owner.namespace, domain),
            "trafficPolicy": {
                "loadBalancer": {"simple": "LEAST_REQUEST"},
                # shorter than the server keeps an idle connection, so that Envoy never writes into a closing one
                "connectionPool": {"http": {"idleTimeout": "30s"}},
            },
        },
    }
