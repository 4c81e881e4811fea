"""What stands in a world that rests: a spec, its status, and the children, as Kubernetes and Istio have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

DEFAULTS: dict[str, Any] = {
    "scaling.minReplicas": 1,
    "scaling.maxReplicas": 10,
    "scaling.targetCPUUtilization": 70,
}
"""Of properties that the apiserver fills in nothing for: what their descriptions say."""


@dataclass(frozen=True)
class Standing:
    """What stands in a namespace that rests."""

    spec: Body
    status: Body
    deployments: dict[str, Body]
    autoscalers: dict[str, Body]
    route: Body
    """The spec of the VirtualService."""

    def wanted(self, path: str) -> Any:
        """Return a property of the spec, or its default."""
        at: Any = self.spec
        for name in path.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        return DEFAULTS.get(path) if at is None else at

    @property
    def stable(self) -> str:
        """Return the stable revision's name."""
        return str(self.status["stable"]["revision"])

    @property
    def rolls(self) -> bool:
        """Tell whether a second revision is beside stable, or was until just now."""
        return bool(self.status.get("candidate") or self.status.get("run") or self.status.get("retiring"))

    @property
    def arrived(self) -> bool:
        """Tell whether the candidate has what it is to have, as far as the operator can bring it there."""
        return (self.status.get("waiting") or {}).get("cause") in {None, "Number", "Person"}

    @property
    def wished(self) -> Body | None:
        """Return the Deployment that is made from the spec; None while what the spec names was given up."""
        if self.status.get("candidate"):
            return self.deployments.get(self.status["candidate"]["revision"])
        given_up = self.status.get("rejected") or self.status.get("withdrawn")
        return None if given_up else self.deployments[self.stable]
