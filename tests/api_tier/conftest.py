"""One control plane for the session, one namespace for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from api_tier import installation
from api_tier.kubectl import Kubectl
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from localcluster import controlplane

CLOSED_PORT = "http://127.0.0.1:9"
"""Where nobody listens: a registry that is down."""


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    directory = tmp_path_factory.mktemp("plane")
    # the autoscaler keeps floors; it looks at them this often
    quick = ("--horizontal-pod-autoscaler-sync-period=1s",)
    with controlplane.ControlPlane(directory, controller_manager_args=quick) as running:
        yield running


@pytest.fixture(scope="session")
def admin(plane: controlplane.ControlPlane) -> Kubectl:
    """A cluster admin, who has installed Istio's kinds and the chart's."""
    return installation.admin_of(plane)


@pytest.fixture(scope="session")
def kubelet(plane: controlplane.ControlPlane) -> Iterator[Kubelet]:
    with Kubelet(plane.kubeconfig) as running:
        yield running


@pytest.fixture(scope="session")
def operator(
    plane: controlplane.ControlPlane, admin: Kubectl, kubelet: Kubelet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(
        plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS),
        tmp_path_factory.mktemp("operator") / "log",
        controlplane.free_ports(2),
        drain_seconds="1",
        tracking_uri=CLOSED_PORT,
    )
    process.start()
    yield process
    assert process.stop() == 0, "a signal ends the operator in peace"
    log = process.log()
    assert "Traceback" not in log, log


@pytest.fixture
def kubectl(admin: Kubectl) -> Iterator[Kubectl]:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    admin("create", "namespace", namespace)
    yield admin.inside(namespace)
    admin("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def fraud(kubectl: Kubectl, operator: OperatorProcess) -> Served:
    """A ModelDeployment that nobody has applied yet, in a namespace of its own, looked after by the operator."""
    return Served(kubectl, "fraud")
