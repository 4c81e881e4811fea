"""A pod that says nothing: its claim is bound and cannot be mounted, which the kubelet tells in Events alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import served as serving
from cluster.served import ACT_SECONDS

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, condition


@pytest.fixture
def claim(installed: Kube, namespace: str) -> Iterator[str]:
    """A claim of the namespace whose volume is a folder that the node does not have."""
    size, name = {"storage": "1Gi"}, f"nowhere-{namespace}"
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    nowhere = {"path": f"/var/lib/no-such-folder/{namespace}", "type": "Directory"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {**common, "capacity": size, "hostPath": nowhere, "persistentVolumeReclaimPolicy": "Retain"},
    }
    wish = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "weights", "namespace": namespace},
        "spec": {**common, "volumeName": name, "resources": {"requests": size}},
    }
    installed.apply([volume, wish])
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/weights"

    def bound() -> bool:
        return ((installed.get(path) or {}).get("status") or {}).get("phase") == "Bound"

    patience.until("the claim to be bound", bound, ACT_SECONDS)  # else it is the scheduler that says what is missing
    yield "weights"
    installed.kubectl("delete", "persistentvolume", name, "--wait=false")


def test_a_volume_that_cannot_be_mounted_is_named(installed: Kube, namespace: str, claim: str):
    installed.apply(serving.manifest(namespace, f"pvc://{claim}/fraud"))

    status = ModelDeployment(installed, namespace, "fraud").wait(
        "the volume to be named",
        lambda said: condition(said, "CandidateHealthy").get("reason") == "VolumeFailed",
        2 * ACT_SECONDS,
    )

    assert "no-such-folder" in condition(status, "CandidateHealthy")["message"]
