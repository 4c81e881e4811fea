"""A server that somebody else wrote, in an image of its own, goes through the same rollout as the bundled one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import figures, lanes
from cluster import served as serving
from cluster.calls import Calls
from cluster.served import ACT_SECONDS, START_SECONDS

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, is_ready, share
from ferrydemo.stage import Registered
from localcluster import images, paths

IMAGE = "ferryman.dev/test/mlserver:1.7.1"
LOCK = paths.REPOSITORY / "benchmarks" / "server" / "locks" / "mlserver.lock"
THEIRS, OURS = "mlserver", "ferryman"
"""What the two servers call themselves in ServerMetadata."""

GUEST: dict[str, Any] = {
    "image": IMAGE,
    "container": {
        "env": [
            {"name": "MLSERVER_MODEL_NAME", "value": "$(FERRYMAN_MODEL_NAME)"},
            {"name": "MLSERVER_MODEL_URI", "value": "$(FERRYMAN_MODEL_DIR)/model.pkl"},
            {"name": "MLSERVER_MODEL_IMPLEMENTATION", "value": "mlserver_sklearn.SKLearnModel"},
            {"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"},
        ],
        "port": 8080,
        "grpcPort": 8081,
        "protocol": "V2",
    },
    "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
}


@pytest.fixture(scope="module")
def image(installed: Kube, tmp_path_factory: pytest.TempPathFactory) -> str:
    """MLServer's image, built from its lock and brought into the cluster."""
    context = tmp_path_factory.mktemp("guest")
    shutil.copy(Path(__file__).parent / "guest" / "Dockerfile", context)
    shutil.copy(LOCK, context / "requirements.lock")
    with lanes.alone():
        images.build(images.Image(IMAGE, context))
        images.load(IMAGE)
    return IMAGE


@pytest.fixture
def guest(installed: Kube, models: Registered, image: str, namespace: str) -> Iterator[tuple[ModelDeployment, Calls]]:
    """MLServer with a model, and a client that never stops calling it."""
    installed.apply(serving.manifest(namespace, models.of("pickled").uri, server=GUEST))
    deployment = ModelDeployment(installed, namespace, "fraud")
    deployment.wait("to serve", is_ready, START_SECONDS)
    with Calls(serving.host(namespace), "fraud", by_server=True) as calls:
        patience.until("MLServer to answer", lambda: by(calls, 0.0) >= {THEIRS}, ACT_SECONDS)
        yield deployment, calls


def by(calls: Calls, since: float) -> set[str]:
    return set(calls.window(since).by_revision)


def test_the_bundled_server_takes_over_from_a_guest_by_canary_and_no_call_is_lost(
    guest: tuple[ModelDeployment, Calls], models: Registered
):
    deployment, calls = guest
    began = next(got.at for got in calls.after(0.0) if not got.fault)
    rollout = {"canary": {"trafficPercent": 50}}
    deployment.patch({"server": {"image": None, "container": None}, "rollout": rollout})
    deployment.wait("half of the calls", lambda said: share(said, "candidate") == 50, START_SECONDS)
    patience.until("both to answer", lambda: by(calls, began) == {THEIRS, OURS}, ACT_SECONDS)

    deployment.patch({"rollout": {"canary": {"trafficPercent": 100}}})

    deployment.wait("the promotion", lambda said: said.get("phase") == "Stable" and is_ready(said), ACT_SECONDS)
    patience.until(
        "ours alone to answer", lambda: {got.revision for got in calls.after(0.0)[-25:]} == {OURS}, ACT_SECONDS
    )
    window = calls.window(began)
    figures.asked("calls from MLServer to the bundled server", window.requests, len(window.failures))
    assert not [f"call {answer.number}: {answer.fault}" for answer in window.failures]


def test_a_guest_that_says_nowhere_that_it_is_ready_never_gets_a_request(
    guest: tuple[ModelDeployment, Calls], models: Registered
):
    deployment, calls = guest
    began = next(got.at for got in calls.after(0.0) if not got.fault)
    container = {**GUEST["container"], "healthPath": "/nowhere"}
    deployment.patch({"server": {"container": container}, "rollout": {"deadlineSeconds": 30}})

    status = deployment.wait("the deadline", lambda said: bool(said.get("rejected")), START_SECONDS)

    assert status["rejected"]["reason"] == "DeadlineExceeded"
    assert share(deployment.status(), "stable") == 100
    assert not calls.window(began).failures
