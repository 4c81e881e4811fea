"""A model that serves with a client that never stops asking: what the journeys and the broken candidates stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ferrydemo import measure, stage
from ferrydemo.answer import Window
from ferrydemo.modeldeployment import ModelDeployment, Status, condition, is_ready, revision, share
from ferrydemo.prober import Prober
from ferrydemo.stage import Registered

START_SECONDS = 90.0
"""How long pods may take to start on two busy cores."""
ACT_SECONDS = 30.0
"""How long anything may take that starts no pod."""
TOLD_SECONDS = 15.0
"""How long the operator may take to name what is wrong with a candidate."""


def manifest(namespace: str, uri: str, **spec: Any) -> dict[str, Any]:
    """Return a ModelDeployment that is reached under a host of its namespace's name."""
    return {
        "apiVersion": "ferryman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": namespace},
        "spec": {
            "model": {"uri": uri},
            "server": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
            # one pod each: what is tested here is not the autoscaler, and two cores are soon busy
            "scaling": {"minReplicas": 1, "maxReplicas": 1},
            "routing": {"hosts": [host(namespace)], "gateways": ["istio-system/ingress"]},
            **spec,
        },
    }


def host(namespace: str) -> str:
    """Return the host that a namespace's model is reached under."""
    return f"{namespace}.example.com"


@dataclass(slots=True)
class Served:
    """A ModelDeployment that serves, its client, and the versions that it may be pointed at."""

    deployment: ModelDeployment
    prober: Prober
    models: Registered
    since: float = field(default=0.0)
    """When the test began: every request from then on counts."""

    def patch(self, uri: str | None = None, **rollout: Any) -> None:
        """Point at another model, or move what the rollout says; None takes a rollout field away."""
        spec: dict[str, Any] = {"rollout": rollout} if rollout else {}
        if uri is not None:
            spec["model"] = {"uri": uri, "digest": None}
        self.since = self.since or self.prober.mark()
        self.deployment.patch(spec)

    def settle(self) -> str:
        """End whatever a test before this one left under way; return the stable revision."""
        stable = self.deployment.read()["status"]["stable"]
        self.deployment.patch(
            {
                "model": {"uri": stable["model"]["requested"], "digest": None},
                "server": {"resources": {"limits": None}},
                "scaling": {"minReplicas": 1, "maxReplicas": 1},
                "rollout": None,
            }
        )
        self.deployment.wait(
            "nothing to be rolled out",
            lambda said: not said.get("candidate") and share(said, "stable") == 100,
            START_SECONDS,
        )
        return str(stable["revision"])

    def other(self, *not_these: str) -> str:
        """Return the URI of a version that loads and is neither what serves nor one of these."""
        serving = self.deployment.read()["status"]["stable"]["model"]["uri"]
        kinds = ("centroid", "regression", "tuned")
        uris = [self.models.of(kind).uri for kind in kinds]
        return next(uri for uri in uris if uri != serving and uri not in not_these)

    def until_weight(self, percent: int, seconds: float = START_SECONDS) -> Status:
        """Wait until the candidate has a share of traffic, by the status."""
        return self.deployment.wait(
            f"the candidate to have {percent} %",
            lambda said: said.get("phase") == "Canary" and share(said, "candidate") == percent,
            seconds,
        )

    def until_stable(self, uri: str, seconds: float = ACT_SECONDS) -> Status:
        """Wait until a version is what serves and nothing else is under way."""
        return self.deployment.wait(
            f"{uri} to be stable",
            lambda said: is_ready(said) and said.get("phase") == "Stable" and said["stable"]["model"]["uri"] == uri,
            seconds,
        )

    def until_told(self, kind: str, reason: str, seconds: float = TOLD_SECONDS) -> str:
        """Wait until a condition does not hold for a reason; return its message."""
        status = self.deployment.wait(
            f"{kind} not to hold for {reason}",
            lambda said: (
                condition(said, kind).get("status") != "True" and condition(said, kind).get("reason") == reason
            ),
            seconds,
        )
        return str(condition(status, kind)["message"])

    def measured(self, status: Status, percent: int, seconds: float = 5) -> Window:
        """Wait until the answers fit the candidate's share, then measure; the share must be an honest one."""
        split = {revision(status, "stable"): 100 - percent}
        if percent:
            split[revision(status, "candidate")] = percent
        measure.settled(self.prober, split, self.prober.mark())
        window = measure.window(self.prober, seconds)
        assert measure.fits(window, split), f"asked {split}, measured {window.by_revision}"
        return window

    def failures(self) -> list[str]:
        """Return what went wrong for clients since the test began."""
        return [f"request {answer.number}: {answer.fault}" for answer in self.prober.window(self.since).failures]


GATEWAY_URL = f"{stage.GATEWAY}/v1/models/fraud:predict"
