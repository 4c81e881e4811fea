"""What runs in the cluster runs with no more than it needs: pods under the restricted profile, without a token."""

from __future__ import annotations

import json
from typing import Any

from cluster.served import Served
from pure import restricted

from ferrydemo import stage
from ferrydemo.kube import Kube

LOOK_AROUND = """
import json, os, pathlib

def writable(folder):
    try:
        pathlib.Path(folder, ".probe").touch()
    except OSError:
        return False
    return True

lines = pathlib.Path("/proc/self/status").read_text().splitlines()
status = dict(line.split(":", 1) for line in lines)
folders = ("/", "/etc", "/usr", "/root", "/var", "/mnt/model", "/tmp")
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "token": pathlib.Path("/var/run/secrets/kubernetes.io").exists(),
    "writable": [folder for folder in folders if writable(folder)],
    "capabilities": [int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")],
    "no new privileges": int(status["NoNewPrivs"]),
    "seccomp": int(status["Seccomp"]),
}))
"""


def test_a_model_pod_asks_for_nothing_that_the_restricted_profile_forbids(served: Served):
    """S16, in a namespace that enforces it; and S5: no token, nothing written but scratch space."""
    namespace = served.deployment.kube.get(f"/api/v1/namespaces/{served.deployment.namespace}")
    assert namespace is not None
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    (pod,) = bodies(served)

    assert restricted.violations(pod["spec"]) == []
    assert restricted.liberties(pod["spec"]) == []


def test_a_model_pod_has_nothing_inside_that_it_could_misuse(served: Served):
    """The same, as the running process sees it: what the spec asks for is what the kubelet did."""
    (pod,) = bodies(served)
    where = ("-n", served.deployment.namespace, "exec", pod["metadata"]["name"], "-c", "server", "--")

    seen = json.loads(served.deployment.kube.kubectl(*where, "python", "-c", LOOK_AROUND))

    assert seen == {
        "user": [65532, 65532],
        "token": False,
        "writable": ["/mnt/model", "/tmp"],
        "capabilities": [0, 0, 0],
        "no new privileges": 1,
        "seccomp": 2,
    }


def test_the_operator_s_own_pod_would_be_admitted_to_a_restricted_namespace(installed: Kube):
    pods = installed.items(f"/api/v1/namespaces/{stage.SYSTEM_NAMESPACE}/pods")

    operators = [pod for pod in pods if pod["spec"]["serviceAccountName"] == stage.OPERATOR]

    assert operators
    assert [fault for pod in operators for fault in restricted.violations(pod["spec"])] == []


def bodies(served: Served) -> list[dict[str, Any]]:
    """Return the serving pods."""
    label = f"ferryman.dev/deployment={served.deployment.name}"
    path = f"/api/v1/namespaces/{served.deployment.namespace}/pods"
    pods = served.deployment.kube.items(path, labelSelector=label)
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
