"""One revision's Deployment: an init container that fetches the model, and the server that serves it.

It carries no `replicas`: the revision's autoscaler owns them. It never changes its model: a new model is a new
revision with a Deployment of its own, so promotion and rollback restart nothing.
"""

from __future__ import annotations

import json
from typing import Any

from ferryman.api.modeldeployment import GPU, ObjectMeta, Optimize
from ferryman.api.revision import Revision
from ferryman.render import meta, names
from ferryman.settings import Settings

MODEL_DIR = "/mnt/model"
PVC_MOUNT = "/mnt/pvc"
USER = 65532

MIN_READY_SECONDS = 2
"""A pod counts as available this long after it is ready: its address has reached every Envoy by then."""

PRE_STOP_SECONDS = 5
"""How long a pod that is to end goes on serving: its address has left every Envoy by then."""

SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def deployment(owner: ObjectMeta, revision: Revision, settings: Settings) -> dict[str, Any]:
    """Return the Deployment of one revision."""
    selector = names.selector(owner.name, revision.revision)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta.metadata(
            owner,
            revision.revision,
            revision.revision,
            annotations={names.ANNOTATION_RECORD: _record(revision)},
        ),
        "spec": {
            # no `replicas`: the autoscaler owns them
            "minReadySeconds": MIN_READY_SECONDS,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {
                    "labels": {**selector, names.LABEL_MANAGED_BY: names.MANAGED_BY},
                },
                "spec": _pod(owner, revision, settings),
            },
        },
    }


def _pod(owner: ObjectMeta, revision: Revision, settings: Settings) -> dict[str, Any]:
    environment = _environment(owner, revision, settings)
    resources = {kind: amounts for kind, amounts in revision.pod.server.resources.to_api().items() if amounts}
    mounts: list[dict[str, Any]] = [{"name": "model", "mountPath": MODEL_DIR}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    volumes: list[dict[str, Any]] = [{"name": "model", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    fetch_mounts = list(mounts)
    if revision.model.uri.startswith("pvc://"):
        claim = revision.model.uri.removeprefix("pvc://").split("/", 1)[0]
        volumes.append({"name": "pvc", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
        fetch_mounts.append({"name": "pvc", "mountPath": PVC_MOUNT, "readOnly": True})
    fetch: dict[str, Any] = {
        "name": "fetch",
        "image": revision.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "ferryman_server.fetch"],
        "env": environment,
        "volumeMounts": fetch_mounts,
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if revision.pod.secret_name is not None:
        fetch["envFrom"] = [{"secretRef": {"name": revision.pod.secret_name}}]
    server: dict[str, Any] = {
        "name": "server",
        "image": revision.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "ferryman_server"],
        "env": environment,
        "ports": [{"name": "http", "containerPort": names.PORT}],
        "volumeMounts": mounts,
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=120),
        "livenessProbe": _probe("/healthz", periodSeconds=10, timeoutSeconds=5),
        "readinessProbe": _probe("/readyz", periodSeconds=1, timeoutSeconds=5, failureThreshold=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
    }
    if resources:
        # a namespace with a quota wants every container to say what it needs; the fetch needs no GPU
        fetch["resources"] = {kind: _without_gpu(amounts) for kind, amounts in resources.items()}
        server["resources"] = resources
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 60,
        "initContainers": [fetch],
        "containers": [server],
        "volumes": volumes,
    }
    if GPU in revision.pod.server.resources.limits:
        pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    return pod


def _environment(owner: ObjectMeta, revision: Revision, settings: Settings) -> list[dict[str, str]]:
    """Return what the server reads at its start; `tests/contract` holds both sides to it."""
    server = revision.pod.server
    values = {
        "FERRYMAN_MODEL_NAME": owner.name,
        "FERRYMAN_MODEL_VERSION": revision.model.version or "",
        "FERRYMAN_REVISION": revision.revision,
        "FERRYMAN_MODEL_URI": revision.model.uri,
        "FERRYMAN_MODEL_FORMAT": revision.pod.format.value,
        "FERRYMAN_MODEL_DIR": MODEL_DIR,
        "FERRYMAN_MODEL_DIGEST": revision.pod.digest or "",
        "FERRYMAN_PVC_MOUNT": PVC_MOUNT,
        "FERRYMAN_ALLOW_PICKLE": "true" if trusted(revision.model.uri, settings) else "false",
        "FERRYMAN_PORT": str(names.PORT),
        "FERRYMAN_WARMUP_REQUESTS": str(server.warmup.requests),
        "FERRYMAN_MAX_BATCH_SIZE": str(server.batching.max_batch_size),
        "FERRYMAN_DRAIN_SECONDS": "2",
        "HOME": "/tmp",  # noqa: S108 the only writable directory beside the model's
    }
    if server.optimize is not Optimize.AUTO:  # a new variable in every pod would restart every pod
        values["FERRYMAN_OPTIMIZE"] = server.optimize.value
    if settings.tracking_uri:
        values["MLFLOW_TRACKING_URI"] = settings.tracking_uri
    if settings.private_hosts:
        values["FERRYMAN_PRIVATE_HOSTS"] = ",".join(settings.private_hosts)
    # the apiserver drops an empty value: rendered, it would look like drift at every look
    return [{"name": name, "value": value} if value else {"name": name} for name, value in values.items()]


def trusted(uri: str, settings: Settings) -> bool:
    """Tell whether the installation lets pickled models from this URI be loaded."""
    return any(_below(uri, prefix) for prefix in settings.trusted_sources)


def _below(uri: str, prefix: str) -> bool:
    """Tell whether a URI is a place or below it: `s3://models` is a bucket, and `s3://models-too` another."""
    return uri.startswith(prefix) and (prefix.endswith("/") or uri.removeprefix(prefix)[:1] in {"", "/", "@"})


def _without_gpu(amounts: dict[str, str]) -> dict[str, str]:
    return {name: amount for name, amount in amounts.items() if name != GPU}


def _record(revision: Revision) -> str:
    """Return what never changes of a revision, as JSON."""
    fixed = revision.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"since", "served", "ready_replicas"}
    )
    return json.dumps(fixed, sort_keys=True)


def _probe(path: str, **fields: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, **fields}
