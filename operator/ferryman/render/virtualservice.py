"""The route: a split becomes Istio weights and a mirror. A revision without a share is not named at all."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta, Routing
from ferryman.render import meta, names
from ferryman.rollout.traffic import Split

# A prediction changes nothing, so a second attempt is safe when the first never reached a living pod.
RETRIES = {"attempts": 3, "retryOn": "connect-failure,refused-stream,unavailable,reset,503"}


def virtual_service(owner: ObjectMeta, routing: Routing, split: Split, domain: str) -> dict[str, Any]:
    """Return the route of a ModelDeployment, for its gateways and for clients in the mesh."""
    route: dict[str, Any] = {
        "route": [
            {"destination": _destination(owner, address, domain), "weight": weight}
            for address, weight in _weights(split)
        ],
        "retries": RETRIES,
    }
    if split.candidate is not None and split.mirror_percent > 0:
        route["mirror"] = _destination(owner, split.candidate, domain)
        route["mirrorPercentage"] = {"value": split.mirror_percent}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": meta.metadata(owner, owner.name),
        "spec": {
            "hosts": [*routing.hosts, names.host(owner.name, owner.namespace, domain)],
            "gateways": [*routing.gateways, "mesh"],
            "http": [route],
        },
    }


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
