"""Sets the stage: a cluster with both images, MLflow with its models, the operator from its chart, a gateway.

Every step can be run again on a stage that stands: what is there already is left as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferrydemo import patience
from ferrydemo.kube import Kube
from localcluster import binaries, paths

GATEWAY = "http://127.0.0.1:30080"
SYSTEM_NAMESPACE = "ferryman-system"
OPERATOR = "ferryman"
TRACKING_URI = "http://mlflow.ml.svc.cluster.local:5000"
WEBHOOK_URL = f"http://{OPERATOR}-webhook.{SYSTEM_NAMESPACE}.svc.cluster.local/webhooks/mlflow"
HERE = Path(__file__).parent
CHART = paths.REPOSITORY / "charts" / "ferryman"
EXEC = ("-n", "ml", "exec", "-i", "deploy/mlflow", "-c", "mlflow", "--")

Say = Callable[[str], None]


class StageError(Exception):
    """The stage could not be set; the text says which part and what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a model."""

    name: str
    version: str
    kind: str
    accuracy: float
    artifacts: str
    """The folder of its files, inside the tracking server's pod."""

    @property
    def uri(self) -> str:
        """Return how a spec names it."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Registered:
    """What a training run left in the registry."""

    versions: tuple[Version, ...]
    rows: list[list[float]]
    """Rows that the models can be asked about."""

    def of(self, kind: str) -> Version:
        """Return the version that was trained as this kind."""
        return next(version for version in self.versions if version.kind == kind)


def cluster() -> Kube:
    """Bring the local cluster up with both images in it; its own progress goes to the terminal."""
    command = [sys.executable, "-m", "localcluster", "up", "--images"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(paths.SOURCES)}, check=False)
    if done.returncode != 0:
        raise StageError("the local cluster does not come up; what it said stands above")
    return Kube(paths.kubeconfig())


def tracking(kube: Kube) -> None:
    """Apply the MLflow tracking server and the gateway; neither is waited for."""
    kube.apply((HERE / "manifests" / "mlflow.yaml").read_text())
    kube.apply((HERE / "manifests" / "gateway.yaml").read_text())


def operator(kube: Kube, poll_seconds: int, gpu_image: str = "", webhook_secret: str = "") -> None:
    """Install the chart, or bring what is installed up to it; the operator is not waited for.

    With the name of a Secret it hears of MLflow's webhooks.
    """
    settings: dict[str, object] = {"mlflow.trackingUri": TRACKING_URI, "mlflow.pollSeconds": poll_seconds}
    settings["mlflow.writeBack"] = "true"
    settings[r"podAnnotations.ferryman\.dev/sources"] = f"sha256-{_sources()}"
    if gpu_image:
        settings["server.gpuImage"] = gpu_image
    if webhook_secret:
        settings |= {"mlflow.webhook.enabled": "true", "mlflow.webhook.secretName": webhook_secret}
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    kube.run(
        [
            *(str(binaries.path("helm")), "upgrade", "--install", "ferryman", str(CHART)),
            *("--namespace", SYSTEM_NAMESPACE, "--create-namespace"),
            *flags,
        ]
    )


def _sources() -> str:
    """Return what tells the operator's sources apart, so that a new image under the same tag is started, too."""
    digest = hashlib.sha256()
    for file in sorted((paths.REPOSITORY / "operator").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def rolled_out(kube: Kube, namespace: str, name: str, seconds: float, heard: Say = lambda said: None) -> None:
    """Wait until a Deployment has every pod that it wants; `heard` is told what its pods are at."""

    def complete() -> bool:
        heard(_pods_are_at(kube, namespace))
        body = kube.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        if body is None:
            return False
        status, spec = body.get("status", {}), body["spec"]
        return bool(
            status.get("observedGeneration") == body["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == spec["replicas"]
            and status.get("availableReplicas", 0) == status.get("replicas", 0) == spec["replicas"]
        )

    patience.until(
        f"deployment {name} in {namespace}",
        complete,
        seconds,
        lambda: f"Its pods: {_pods_are_at(kube, namespace)}",
    )


def train(kube: Kube, name: str, *kinds: str) -> Registered:
    """Train models in the tracking server's pod and register them; a kind that is registered already is kept."""
    said = kube.kubectl(*(*EXEC, "python", "-", name, *kinds), stdin=(HERE / "training.py").read_text(), seconds=180)
    result: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return Registered(versions=tuple(Version(**version) for version in result["versions"]), rows=result["rows"])


def in_tracking_pod(kube: Kube, *command: str) -> str:
    """Run a command in the tracking server's pod."""
    return kube.kubectl(*EXEC, *command)


def webhook(kube: Kube, secret: str) -> None:
    """Let MLflow tell the operator of every alias that is moved or taken away."""
    create = (
        "import sys; from mlflow import MlflowClient;"
        "MlflowClient('http://127.0.0.1:5000').create_webhook('ferryman', sys.argv[1],"
        "['model_version_alias.created', 'model_version_alias.deleted'], secret=sys.argv[2])"
    )
    in_tracking_pod(kube, "python", "-c", create, WEBHOOK_URL, secret)


def alias_command(name: str, uri: str) -> str:
    """Return the command by which a data scientist moves an alias to the version that a URI names."""
    model, version = uri.removeprefix("models:/").split("/")
    client = "from mlflow import MlflowClient; MlflowClient('http://127.0.0.1:5000')"
    said = f"{client}.set_registered_model_alias('{model}', '{name}', '{version}')"
    return f'kubectl {" ".join(EXEC)} python -c "{said}"'


@dataclass(frozen=True, slots=True)
class Record:
    """What the registry says of a version."""

    tags: dict[str, str]
    aliases: list[str]


def recorded(kube: Kube, version: Version) -> Record:
    """Return what the registry says of a version."""
    read = (
        "import json, sys; from mlflow import MlflowClient;"
        "found = MlflowClient('http://127.0.0.1:5000').get_model_version(*sys.argv[1:]);"
        "print(json.dumps({'tags': found.tags, 'aliases': list(found.aliases)}))"
    )
    said = in_tracking_pod(kube, "python", "-c", read, version.name, version.version)
    return Record(**json.loads(said.strip().splitlines()[-1]))


def alias(kube: Kube, name: str, uri: str) -> None:
    """Do the same at once, without MLflow's client, which takes seconds to start."""
    model, version = uri.removeprefix("models:/").split("/")
    body = json.dumps({"name": model, "alias": name, "version": version})
    post = (
        "import urllib.request as r, sys;"
        "r.urlopen(r.Request('http://127.0.0.1:5000/api/2.0/mlflow/registered-models/alias',"
        "data=sys.argv[1].encode(), headers={'Content-Type': 'application/json'}), timeout=10)"
    )
    in_tracking_pod(kube, "python", "-c", post, body)


def fresh_namespace(kube: Kube, name: str) -> None:
    """Make an empty namespace that admits only pods without privileges; one of that name goes first."""
    if kube.get(f"/api/v1/namespaces/{name}") is not None:
        kube.kubectl("delete", "namespace", name, "--wait=true", seconds=180)
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
    )


def _pods_are_at(kube: Kube, namespace: str) -> str:
    """Say in a few words what a namespace's pods are waiting for."""
    return "; ".join(
        f"{body['metadata']['name']} {_at(body)}" for body in kube.items(f"/api/v1/namespaces/{namespace}/pods")
    )


def _at(pod: dict[str, Any]) -> str:
    status = pod.get("status", {})
    for container in status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
        if container.get("state", {}).get("running"):
            return "is ready" if container.get("ready") else "has started"
    return str(status.get("phase", "is new"))


if __name__ == "__main__":
    cluster()
