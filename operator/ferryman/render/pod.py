"""A revision's pods: an init container that fetches the model, and a server, the bundled one or a guest."""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.api.server import GPU
from ferryman.render import environment, guest, server
from ferryman.settings import Settings

Body = dict[str, Any]

USER = 65532
"""Nobody, in most images that know such a user."""
SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

PRE_STOP_SECONDS = 5
"""How long a pod that is to end goes on serving: its address has left every Envoy by then."""
GRACE_SECONDS = 60


def spec(owner: ObjectMeta, revision: Revision, settings: Settings) -> Body:
    """Return the spec of one revision's pods."""
    wish = revision.pod.server
    mounts: list[Body] = [
        {"name": "model", "mountPath": environment.MODEL_DIR},
        {"name": "tmp", "mountPath": environment.SCRATCH},
    ]
    volumes: list[Body] = [{"name": "model", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    resources = {kind: amounts for kind, amounts in wish.resources.to_api().items() if amounts}
    fetch = _fetch(owner, revision, settings, list(mounts))
    if revision.model.uri.startswith("pvc://"):
        claim = revision.model.uri.removeprefix("pvc://").split("/", 1)[0]
        volumes.append({"name": "pvc", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
        fetch["volumeMounts"].append({"name": "pvc", "mountPath": environment.PVC_MOUNT, "readOnly": True})
    serving = {
        "name": "server",
        "imagePullPolicy": "IfNotPresent",
        "volumeMounts": mounts,
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        **(guest.container(owner, revision) or server.container(owner, revision, settings)),
    }
    if resources:
        # a namespace with a quota wants every container to say what it needs; the fetch needs no GPU
        fetch["resources"] = {kind: _without_gpu(amounts) for kind, amounts in resources.items()}
        serving["resources"] = resources
    pod: Body = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "initContainers": [fetch],
        "containers": [serving],
        "volumes": volumes,
    }
    if GPU in wish.resources.limits:
        pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    return pod


def _fetch(owner: ObjectMeta, revision: Revision, settings: Settings, mounts: list[Body]) -> Body:
    fetch: Body = {
        "name": "fetch",
        "image": revision.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "ferryman_server.fetch"],
        "env": environment.bundled(owner, revision, settings),
        "volumeMounts": mounts,
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if revision.pod.secret_name is not None:
        fetch["envFrom"] = [{"secretRef": {"name": revision.pod.secret_name}}]
    return fetch


def _without_gpu(amounts: dict[str, str]) -> dict[str, str]:
    return {name: amount for name, amount in amounts.items() if name != GPU}
