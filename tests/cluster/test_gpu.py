"""GPUs: what `nvidia.com/gpu` in a spec does to its pods. There is none here; the node says that it has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import served as serving

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, condition
from ferrydemo.stage import Registered
from localcluster import node


@pytest.fixture
def gpu() -> Iterator[None]:
    """A node that says that it has one GPU."""
    node.advertise_gpus(1)
    yield
    node.advertise_gpus(0)


def test_a_gpu_in_the_limits_reaches_the_pod_with_its_toleration_and_image(
    installed: Kube, models: Registered, namespace: str, gpu: None
):
    spec = {"server": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    installed.apply(serving.manifest(namespace, models.of("centroid").uri, **spec))

    [pod] = patience.until(
        "a scheduled pod",
        lambda: [
            body for body in installed.items(f"/api/v1/namespaces/{namespace}/pods") if body["spec"].get("nodeName")
        ],
        serving.ACT_SECONDS,
    )

    [server] = pod["spec"]["containers"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert server["image"] == "ferryman.dev/server:dev-gpu"
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]


def test_an_image_that_cannot_be_pulled_is_named(installed: Kube, models: Registered, namespace: str, gpu: None):
    """The GPU variant of the server image is not built here, and there is no registry to pull it from."""
    spec = {"server": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    installed.apply(serving.manifest(namespace, models.of("centroid").uri, **spec))

    status = ModelDeployment(installed, namespace, "fraud").wait(
        "the image to be named",
        lambda said: condition(said, "CandidateHealthy").get("reason") == "ImagePullFailed",
        serving.TOLD_SECONDS,
    )

    assert "ferryman.dev/server:dev-gpu" in condition(status, "CandidateHealthy")["message"]
