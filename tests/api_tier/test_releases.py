"""A release from MLflow, seen from both sides: the operator as a process, a real tracking server and apiserver."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tracking
from mlflow.tracking import MlflowClient

from api_tier import installation
from api_tier.kubectl import Kubectl, until
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from localcluster import controlplane

POLL_SECONDS = 3
FOLLOWED = "models:/fraud@champion"
TEN = {"canary": {"trafficPercent": 10}}
AMOUNT = {"name": "amount", "type": "double", "required": True}
HOUR = {"name": "hour", "type": "long", "required": True}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    with controlplane.ControlPlane(tmp_path_factory.mktemp("apart")) as running, Kubelet(running.kubeconfig):
        yield running


@pytest.fixture(scope="module")
def admin(plane: controlplane.ControlPlane) -> Kubectl:
    return installation.admin_of(plane)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        with tracking.server(tmp_path_factory.mktemp("mlflow")) as client:
            yield client


@pytest.fixture(scope="module")
def operator(
    plane: controlplane.ControlPlane, admin: Kubectl, mlflow: MlflowClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(
        plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS),
        tmp_path_factory.mktemp("operator") / "log",
        controlplane.free_ports(2),
        drain_seconds="1",
        tracking_uri=str(mlflow.tracking_uri),
        registry_poll_seconds=str(POLL_SECONDS),
        write_back="true",
    )
    process.start()
    yield process
    assert process.stop() == 0, "a signal ends the operator in peace"
    assert "Traceback" not in process.log(), process.log()


@pytest.fixture
def fraud(kubectl: Kubectl, operator: OperatorProcess, mlflow: MlflowClient, tmp_path: Path) -> Served:
    """A model that follows an alias, and serves."""
    release(mlflow, version(mlflow, tmp_path, AMOUNT))
    served = Served(kubectl, "fraud")
    served.apply(FOLLOWED, rollout=TEN)
    served.patch(model={"registry": {"writeBack": True, "stableAlias": "in-production"}})
    served.rests("Stable", "100/0")
    return served


def version(mlflow: MlflowClient, place: Path, *inputs: dict[str, Any]) -> str:
    """Register a version of `fraud` that takes such inputs; return its number."""
    uri = tracking.registered(mlflow, "fraud", place, {"inputs": json.dumps(inputs)})
    return uri.rpartition("/")[2]


def release(mlflow: MlflowClient, number: str) -> None:
    mlflow.set_registered_model_alias("fraud", "champion", number)


def test_an_alias_that_moves_starts_a_canary_and_its_promotion_is_told(
    fraud: Served, mlflow: MlflowClient, tmp_path: Path
) -> None:
    old, new = fraud.status()["stable"]["model"]["version"], version(mlflow, tmp_path, AMOUNT)

    release(mlflow, new)
    moved = time.monotonic()
    until(lambda: fraud.revision("candidate"), POLL_SECONDS + 5, "the next version is the candidate")
    print(f"alias moved to candidate, polled every {POLL_SECONDS} s: {time.monotonic() - moved:.1f} s")
    fraud.rests("Canary", "90/10")
    assert fraud.status()["candidate"]["model"]["uri"] == f"models:/fraud/{new}"
    assert fraud.condition("SignatureCompatible")["reason"] == "SignatureKept"
    fraud.canary(100)
    fraud.rests("Stable", "100/0")

    until(lambda: fraud.condition("RegistryUpdated").get("reason") == "WrittenBack", what="MLflow was told")
    key = f"ferryman.{fraud.read()['metadata']['namespace']}.fraud"
    told = {number: mlflow.get_model_version("fraud", number).tags[key] for number in (old, new)}
    assert told[new].startswith("Promoted ")
    assert told[new].endswith(f" as {fraud.revision('stable')}")
    assert told[old].startswith("Replaced ")
    assert str(mlflow.get_model_version_by_alias("fraud", "in-production").version) == new


def test_a_version_that_needs_more_of_its_callers_has_no_pod_until_that_is_allowed(
    fraud: Served, mlflow: MlflowClient, tmp_path: Path
) -> None:
    stable = fraud.revision("stable")
    release(mlflow, version(mlflow, tmp_path, AMOUNT, HOUR))

    until(lambda: fraud.condition("SignatureCompatible").get("status") == "False", what="it is held")
    held = fraud.revision("candidate")
    assert 'it needs "hour" (long)' in fraud.condition("SignatureCompatible")["message"]
    assert fraud.condition("Ready")["reason"] == "SignatureBreaks"
    assert ("Deployment", held) not in fraud.names()
    assert fraud.weights() == {stable: 100}

    fraud.patch(rollout={**TEN, "allowBreaking": True})
    fraud.rests("Canary", "90/10")
    assert fraud.condition("SignatureCompatible")["reason"] == "BreakingAllowed"


def test_an_alias_that_is_taken_away_holds_what_runs_and_says_so(fraud: Served, mlflow: MlflowClient) -> None:
    stable = fraud.revision("stable")

    mlflow.delete_registered_model_alias("fraud", "champion")

    until(lambda: fraud.condition("ModelResolved").get("reason") == "AliasNotFound", what="it is said")
    assert fraud.weights() == {stable: 100}
    assert fraud.condition("Available")["status"] == "True"
