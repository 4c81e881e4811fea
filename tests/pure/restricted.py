"""What PodSecurity's `restricted` profile asks of a pod (Kubernetes 1.34), and what we ask beyond it, as pure code.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ is the page that this follows, top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
CAPABILITIES = {"NET_BIND_SERVICE"}


def violations(pod: Body) -> list[str]:
    """Return what keeps a pod's spec from being admitted to a restricted namespace."""
    return [*_baseline(pod), *_restricted(pod)]


def liberties(pod: Body) -> list[str]:
    """Return what a pod's spec allows itself that a model server has no use for."""
    return list(_liberties(pod))


def _liberties(pod: Body) -> Iterator[str]:
    if pod.get("automountServiceAccountToken") is not False:
        yield "a token of the ServiceAccount is mounted"
    for volume in pod.get("volumes") or []:
        if set(volume) - {"name", "emptyDir", "persistentVolumeClaim"}:
            yield f"volume {volume['name']} is neither scratch space nor a claim"
        if volume.get("persistentVolumeClaim", {"readOnly": True}).get("readOnly") is not True:
            yield f"volume {volume['name']} is a claim that may be written to"
    for container in containers(pod):
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield f"{container['name']} may write to its image"


def containers(pod: Body) -> Iterator[Body]:
    """Return every container of a pod."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(kind) or []


def _baseline(pod: Body) -> Iterator[str]:
    context = pod.get("securityContext") or {}
    yield from (f"{field} is set" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    yield from (f"sysctl {sysctl.get('name')} is set" for sysctl in context.get("sysctls") or [])
    for volume in pod.get("volumes") or []:
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume.get('name')} is of kind {sorted(kinds)}"
    for who, security in _contexts(pod):
        yield from (f"{who}: {field} is set" for field in ("privileged", "windowsOptions") if security.get(field))
        if security.get("procMount", "Default") != "Default":
            yield f"{who}: procMount is set"
        if {"user", "role"} & set(security.get("seLinuxOptions") or {}):
            yield f"{who}: seLinuxOptions set a user or a role"
        if (security.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in SECCOMP:
            yield f"{who}: appArmorProfile is off"
    for container in containers(pod):
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield f"{container['name']}: a port of the node is taken"
        handlers = [container.get(probe) or {} for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += list((container.get("lifecycle") or {}).values())
        if any((handler.get(how) or {}).get("host") for handler in handlers for how in ("httpGet", "tcpSocket")):
            yield f"{container['name']}: a probe asks another host"


def _restricted(pod: Body) -> Iterator[str]:
    whole = pod.get("securityContext") or {}
    for container in containers(pod):
        security = container.get("securityContext") or {}
        who = container["name"]
        capabilities = security.get("capabilities") or {}
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"{who}: privileges may be escalated"
        if security.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
            yield f"{who}: may run as root"
        if security.get("runAsUser", whole.get("runAsUser")) == 0:
            yield f"{who}: runs as root"
        if (security.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type") not in SECCOMP:
            yield f"{who}: no seccomp profile"
        if "ALL" not in (capabilities.get("drop") or []):
            yield f"{who}: capabilities are kept"
        if not set(capabilities.get("add") or []) <= CAPABILITIES:
            yield f"{who}: capabilities are added"


def _contexts(pod: Body) -> Iterator[tuple[str, Body]]:
    yield "pod", pod.get("securityContext") or {}
    for container in containers(pod):
        yield container["name"], container.get("securityContext") or {}
