"""The operator's pod, and how it comes to a sudden end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from cluster.served import ACT_SECONDS

from ferrydemo import patience, stage
from ferrydemo.kube import Kube


def deleted(kube: Kube) -> None:
    """Take the pod away as a lost node would: at once, and nobody asks it to end."""
    for pod in _pods(kube):
        name = pod["metadata"]["name"]
        where = ("-n", stage.SYSTEM_NAMESPACE, "delete", "pod", name)
        kube.kubectl(*where, "--force", "--grace-period=0", "--wait=false")


def killed(kube: Kube) -> None:
    """Kill the process, as the kernel does when memory runs out; the kubelet starts it again in the same pod."""
    for pod in _pods(kube):
        processes = [process for process in Path("/proc").iterdir() if _is_of(process, str(pod["metadata"]["uid"]))]
        assert processes, "the node's processes are this machine's"
        for process in processes:
            os.kill(int(process.name), signal.SIGKILL)


def back(kube: Kube, before: set[str]) -> None:
    """Wait until an operator runs that is none of those before."""
    patience.until("another operator", lambda: lives(kube) - before, 2 * ACT_SECONDS)
    stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, 2 * ACT_SECONDS)


def lives(kube: Kube) -> set[str]:
    """Return the containers that run the operator: a new one for each start."""
    return {
        str(container["containerID"])
        for pod in _pods(kube)
        for container in pod.get("status", {}).get("containerStatuses", [])
        if container["ready"]
    }


def _pods(kube: Kube) -> list[dict[str, Any]]:
    found = kube.items(f"/api/v1/namespaces/{stage.SYSTEM_NAMESPACE}/pods")
    ours = [pod for pod in found if pod["spec"]["serviceAccountName"] == stage.OPERATOR]
    return [pod for pod in ours if "deletionTimestamp" not in pod["metadata"]]


def _is_of(process: Path, pod: str) -> bool:
    """Tell whether a process is Python in a pod: its control group carries the pod's UID."""
    try:
        group, command = (process / "cgroup").read_text(), (process / "cmdline").read_bytes()
    except OSError:
        return False
    return (pod in group or pod.replace("-", "_") in group) and b"ferryman" in command
