"""A model that serves with a client that never stops asking: what the journeys and the broken candidates stand on."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cluster import figures

from ferrydemo import measure, patience, stage
from ferrydemo.answer import Window
from ferrydemo.kube import Kube
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
    base: dict[str, Any] = field(default_factory=dict)
    """The spec that it began with, to which every test of a module returns."""
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
        self.deployment.hush()
        stable = self.deployment.read()["status"]["stable"]
        limits = self.base["server"]["resources"].get("limits")
        self.deployment.patch(
            {
                "model": {"uri": stable["model"]["requested"], "digest": None},
                "server": {"resources": {"limits": limits}},
                "scaling": {"replicas": None, "targetCPUUtilization": None, **self.base["scaling"]},
                "rollout": None,
            }
        )
        self.deployment.wait(
            "nothing to be rolled out",
            lambda said: not said.get("candidate") and share(said, "stable") == 100,
            START_SECONDS,
        )
        return str(stable["revision"])

    def tell(self, **verbs: str) -> float:
        """Tell the operator a verb; return when that began."""
        told = self.prober.mark()
        self.deployment.tell(**verbs)
        return told

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

    def until_fetch_failed(self) -> None:
        """Wait until a pod has started and not got its model: what the operator takes to say so counts from here."""

        def failed() -> bool:
            pods = self.deployment.kube.items(f"/api/v1/namespaces/{self.deployment.namespace}/pods")
            tries = [each for pod in pods for each in pod["status"].get("initContainerStatuses", [])]
            ends = [each[when].get("terminated", {}) for each in tries for when in ("state", "lastState")]
            return any(end.get("exitCode") for end in ends)

        patience.until("a pod that cannot fetch its model", failed, START_SECONDS, self.deployment.last_words)

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

    def moved(self, what: str, told: float, *revisions: str) -> float:
        """Wait until only these revisions answer; write down, and return, after how long nobody else did."""
        split = dict.fromkeys(revisions, 100 // len(revisions))
        return figures.note(what, measure.settled(self.prober, split, told))

    def uids(self, name: str) -> set[str]:
        """Return the UIDs of a revision's ready pods, and how often each was restarted."""
        return {f"{pod.uid}/{pod.restarts}" for pod in self.deployment.pods(name) if pod.ready}

    def delete_pods(self, *options: str) -> None:
        """Delete pods of the namespace."""
        self.deployment.kube.kubectl("-n", self.deployment.namespace, "delete", "pod", *options)

    def failures(self) -> list[str]:
        """Return what went wrong for clients since the test began."""
        return [f"request {answer.number}: {answer.fault}" for answer in self.prober.window(self.since).failures]


@contextlib.contextmanager
def serve(kube: Kube, models: Registered, record: Path, kind: str = "centroid", **spec: Any) -> Iterator[Served]:
    """Let a version serve in a namespace of its own, with a client; take the namespace away at the end."""
    name = f"test-{secrets.token_hex(3)}"
    stage.fresh_namespace(kube, name)
    body = manifest(name, models.of(kind).uri, **spec)
    kube.apply(body)
    deployment = ModelDeployment(kube, name, "fraud")
    deployment.wait("to serve", is_ready, START_SECONDS)
    patience.until("the first answer", lambda: ask(name, models.rows), ACT_SECONDS)
    with Prober(GATEWAY_URL, host(name), models.rows, record) as prober:
        yield Served(deployment, prober, models, body["spec"])
    kube.kubectl("delete", "namespace", name, "--wait=false")


def ask(namespace: str, rows: list[list[float]], **headers: str) -> str:
    """Make one prediction with headers of one's own; return which revision answered, or nothing for a failure."""
    try:
        answer = httpx.post(
            GATEWAY_URL,
            json={"instances": rows},
            headers={"Host": host(namespace), **headers},
            timeout=5,
            trust_env=False,
        )
    except httpx.HTTPError:
        return ""
    return answer.headers.get("x-ferryman-revision", "") if answer.status_code == httpx.codes.OK else ""


GATEWAY_URL = f"{stage.GATEWAY}/v1/models/fraud:predict"
