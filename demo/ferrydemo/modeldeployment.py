"""One ModelDeployment as the demo and the tests watch it: its status, its pods, and waiting for a claim to hold."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ferrydemo import patience
from ferrydemo.kube import Kube

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """One serving pod: who it is, so that a restart or a replacement shows."""

    name: str
    uid: str
    restarts: int
    ready: bool


@dataclass(frozen=True, slots=True)
class ModelDeployment:
    """A ModelDeployment by its name."""

    kube: Kube
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Return its API path."""
        return f"/apis/ferryman.dev/v1alpha1/namespaces/{self.namespace}/modeldeployments/{self.name}"

    def read(self) -> dict[str, Any]:
        """Return the object as it stands; empty when there is none."""
        return self.kube.get(self.path) or {}

    def status(self) -> Status:
        """Return its status; empty when nothing was said of the latest spec yet."""
        body = self.read()
        status: Status = body.get("status", {})
        return status if status.get("observedGeneration") == body.get("metadata", {}).get("generation") else {}

    def patch(self, spec: dict[str, Any]) -> None:
        """Merge into the spec, as `kubectl patch --type merge` does."""
        self.kube.type(self.patch_command(spec))

    def patch_command(self, spec: dict[str, Any]) -> str:
        """Return the command that a user would type to merge into the spec."""
        change = json.dumps({"spec": spec}, separators=(",", ":"))
        return f"kubectl -n {self.namespace} patch mdep {self.name} --type merge -p '{change}'"

    def annotate_command(self, verb: str, value: str) -> str:
        """Return the command that a user would type to tell the operator something."""
        said = shlex.quote(value)
        return f"kubectl -n {self.namespace} annotate mdep {self.name} --overwrite ferryman.dev/{verb}={said}"

    def tell(self, **verbs: str) -> None:
        """Tell the operator one verb, or several in one breath, as a user does with `kubectl annotate`."""
        (verb, value), *others = verbs.items()
        more = "".join(f" ferryman.dev/{name}={shlex.quote(said)}" for name, said in others)
        self.kube.type(self.annotate_command(verb, value) + more)

    def hush(self) -> None:
        """Take every verb's annotation away."""
        prefix = "ferryman.dev/"
        told = [key for key in self.read()["metadata"].get("annotations", {}) if key.startswith(prefix)]
        if told:
            self.kube.kubectl("-n", self.namespace, "annotate", "mdep", self.name, *(f"{key}-" for key in told))

    def wait(
        self,
        what: str,
        claim: Callable[[Status], Any],
        seconds: float,
        heard: Callable[[Status], None] = lambda status: None,
    ) -> Status:
        """Return the first status of the latest spec for which the claim holds; `heard` is told of every look."""

        def holds() -> Status:
            status = self.status()
            heard(status)
            return status if status and claim(status) else {}

        return patience.until(f"{self.name} in {self.namespace}: {what}", holds, seconds, self.last_words)

    def last_words(self) -> str:
        """Return what it says now, for an error that a reader can act on."""
        body = self.read()
        status = body.get("status", {})
        told = {key: status.get(key) for key in ("observedGeneration", "phase", "traffic", "rejected")}
        told["generation"] = body.get("metadata", {}).get("generation")
        conditions = [
            f"{entry['type']}={entry['status']} {entry['reason']}: {entry.get('message', '')}"
            for entry in status.get("conditions", [])
        ]
        pods = [f"pod {pod.name} ready={pod.ready} restarts={pod.restarts}" for pod in self.pods()]
        return "\n  ".join(["It says:", json.dumps(told), *conditions, *pods])

    def pods(self, revision: str | None = None) -> tuple[Pod, ...]:
        """Return its serving pods, of one revision or of all, that are not on their way out."""
        labels = f"ferryman.dev/deployment={self.name}"
        if revision is not None:
            labels += f",ferryman.dev/revision={revision}"
        found = self.kube.items(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=labels)
        return tuple(
            _pod(body)
            for body in sorted(found, key=lambda body: str(body["metadata"]["name"]))
            if "deletionTimestamp" not in body["metadata"]
        )

    def metrics(self, pod: Pod) -> str:
        """Return a pod's Prometheus page, through the apiserver's proxy."""
        return self.kube.text(f"/api/v1/namespaces/{self.namespace}/pods/{pod.name}:8080/proxy/metrics")


def _pod(body: dict[str, Any]) -> Pod:
    status = body.get("status", {})
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions", [])}
    return Pod(
        name=body["metadata"]["name"],
        uid=body["metadata"]["uid"],
        restarts=sum(container["restartCount"] for container in status.get("containerStatuses", [])),
        ready=conditions.get("Ready") == "True",
    )


def condition(status: Status, kind: str) -> dict[str, Any]:
    """Return one condition of a status; empty when it is not there."""
    return next((entry for entry in status.get("conditions", []) if entry["type"] == kind), {})


def is_ready(status: Status) -> bool:
    """Tell whether what the spec asks for is what serves."""
    return bool(condition(status, "Ready").get("status") == "True")


def revision(status: Status, role: str) -> str:
    """Return the name of the stable or the candidate revision; empty when there is none."""
    return str((status.get(role) or {}).get("revision", ""))


def command(status: Status, verb: str) -> dict[str, Any]:
    """Return what became of a verb; empty when nothing was said of it."""
    return next((entry for entry in status.get("commands", []) if entry["verb"] == verb), {})


def share(status: Status, role: str) -> int:
    """Return the percentage that the route gives the stable or the candidate revision, or the shadow."""
    return int((status.get("traffic") or {}).get(role, 0))
