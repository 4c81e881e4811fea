"""A ModelDeployment under test: what a user wishes for it, and what can be seen of it."""

from __future__ import annotations

from typing import Any

from api_tier.kubectl import Kubectl, until
from ferryman.render import names

CHILDREN = "deployments,services,hpa,virtualservices,destinationrules"


def body(name: str, uri: str, **spec: Any) -> dict[str, Any]:
    """Return the manifest of a small model."""
    return {
        "apiVersion": "ferryman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": uri},
            "routing": {"hosts": [f"{name}.example.com"], "gateways": ["istio-system/ingress"]},
            **spec,
        },
    }


class Served:
    """One ModelDeployment in one namespace."""

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        self.kubectl = kubectl
        self.name = name

    def apply(self, uri: str, **spec: Any) -> None:
        self.kubectl.apply(body(self.name, uri, **spec))

    def patch(self, **spec: Any) -> None:
        self.kubectl.patch("mdep", self.name, {"spec": spec})

    def canary(self, percent: int) -> None:
        self.patch(rollout={"canary": {"trafficPercent": percent}})

    def read(self) -> dict[str, Any]:
        found = self.kubectl.get("mdep", self.name)
        assert found is not None
        return found

    def status(self) -> dict[str, Any]:
        return self.read().get("status", {})

    def condition(self, kind: str) -> dict[str, Any]:
        return next((each for each in self.status().get("conditions", []) if each["type"] == kind), {})

    def revision(self, role: str) -> str | None:
        found = self.status().get(role)
        return found["revision"] if found else None

    def candidate_version(self) -> str | None:
        """Return the registry's number of the candidate."""
        found = self.status().get("candidate")
        return found["model"].get("version") if found else None

    def events(self, reason: str) -> int:
        """Count how often people were told of something."""
        told = self.kubectl.list("events.v1.events.k8s.io")
        about = [each for each in told if each.get("reason") == reason and each["regarding"]["name"] == self.name]
        return sum((each.get("series") or {}).get("count", 1) for each in about)

    def weights(self) -> dict[str, int]:
        """Return what the VirtualService itself says, by revision."""
        route = self.kubectl.get("virtualservice", self.name)
        if route is None:
            return {}
        return {
            names.revision_of_host(each["destination"]["host"]): each.get("weight", 100)
            for each in route["spec"]["http"][-1]["route"]
        }

    def mirrors(self) -> dict[str, int]:
        """Return what the VirtualService itself says of copies, by revision."""
        route = self.kubectl.get("virtualservice", self.name)
        assert route is not None
        mirrors = route["spec"]["http"][-1].get("mirrors", [])
        return {names.revision_of_host(each["destination"]["host"]): each["percentage"]["value"] for each in mirrors}

    def children(self) -> list[dict[str, Any]]:
        return self.kubectl.list(CHILDREN, "-l", f"ferryman.dev/deployment={self.name}")

    def names(self) -> set[tuple[str, str]]:
        return {(child["kind"], child["metadata"]["name"]) for child in self.children()}

    def rests(self, phase: str, traffic: str, within: float = 30.0) -> None:
        """Wait until the rollout stands where it is expected, with the route as status tells it."""
        wanted = {"phase": phase, "traffic": traffic}

        def look() -> bool:
            seen = self.status()
            now = {"phase": seen.get("phase"), "traffic": (seen.get("traffic") or {}).get("display")}
            return now == wanted

        until(look, within, f"{self.name} rests in {wanted}")
