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
from ferryman.poll import LEAST
from localcluster import controlplane

POLL_SECONDS = 3
MOVES, PAUSE_SECONDS = 100, 0.2
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


class Registered:
    """A registered model of one test's own: what another test left of an alias would be remembered for a poll."""

    def __init__(self, mlflow: MlflowClient, name: str, place: Path) -> None:
        self.mlflow = mlflow
        self.name = name
        self._place = place

    def version(self, *inputs: dict[str, Any], **tags: str) -> str:
        """Register a version that takes such inputs; return its number."""
        uri = tracking.registered(self.mlflow, self.name, self._place, {"inputs": json.dumps(inputs)}, **tags)
        return uri.rpartition("/")[2]

    def release(self, number: str) -> None:
        self.alias("champion", number)

    def alias(self, alias: str, number: str) -> None:
        self.mlflow.set_registered_model_alias(self.name, alias, number)

    def delete(self, number: str) -> None:
        self.mlflow.delete_model_version(self.name, number)

    def withdraw(self) -> None:
        self.mlflow.delete_registered_model_alias(self.name, "champion")

    def tag(self, number: str, key: str) -> str:
        return str(self.mlflow.get_model_version(self.name, number).tags[key])

    def in_production(self) -> str:
        return str(self.mlflow.get_model_version_by_alias(self.name, "in-production").version)


@pytest.fixture
def model(mlflow: MlflowClient, kubectl: Kubectl, tmp_path: Path) -> Registered:
    """A model with one version, which is its champion."""
    registered = Registered(mlflow, str(kubectl.namespace), tmp_path)
    registered.release(registered.version(AMOUNT))
    return registered


@pytest.fixture
def fraud(kubectl: Kubectl, operator: OperatorProcess, model: Registered) -> Served:
    """A ModelDeployment that follows the champion, and serves it."""
    served = Served(kubectl, "fraud")
    served.apply(f"models:/{model.name}@champion", rollout=TEN)
    served.patch(model={"registry": {"writeBack": True, "stableAlias": "in-production"}})
    served.rests("Stable", "100/0")
    return served


def test_an_alias_that_moves_starts_a_canary_and_its_promotion_is_told(fraud: Served, model: Registered) -> None:
    old, new = fraud.status()["stable"]["model"]["version"], model.version(AMOUNT)

    model.release(new)
    moved = time.monotonic()
    until(lambda: fraud.revision("candidate"), POLL_SECONDS + 5, "the next version is the candidate")
    print(f"alias moved to candidate, polled every {POLL_SECONDS} s: {time.monotonic() - moved:.1f} s")
    fraud.rests("Canary", "90/10")
    assert fraud.status()["candidate"]["model"]["uri"] == f"models:/{model.name}/{new}"
    assert fraud.condition("SignatureCompatible")["reason"] == "SignatureKept"
    for pinned in (fraud.status()[role]["model"] for role in ("stable", "candidate")):
        assert (pinned["inputs"], pinned["flavors"]) == (["amount: double"], ["python_function", "sklearn 1.9.1"])
    fraud.canary(100)
    fraud.rests("Stable", "100/0")

    until(lambda: fraud.condition("RegistryUpdated").get("reason") == "WrittenBack", what="MLflow was told")
    key = f"ferryman.{fraud.read()['metadata']['namespace']}.fraud"
    assert model.tag(new, key).startswith("Promoted ")
    assert model.tag(new, key).endswith(f" as {fraud.revision('stable')}")
    assert model.tag(old, key).startswith("Replaced ")
    assert model.in_production() == new


def test_a_version_that_needs_more_of_its_callers_has_no_pod_until_that_is_allowed(
    fraud: Served, model: Registered
) -> None:
    stable = fraud.revision("stable")
    model.release(model.version(AMOUNT, HOUR))

    until(lambda: fraud.condition("SignatureCompatible").get("status") == "False", what="it is held")
    held = fraud.revision("candidate")
    assert 'it needs "hour" (long)' in fraud.condition("SignatureCompatible")["message"]
    assert fraud.condition("Ready")["reason"] == "SignatureBreaks"
    assert ("Deployment", held) not in fraud.names()
    assert fraud.weights() == {stable: 100}

    fraud.patch(rollout={**TEN, "allowBreaking": True})
    fraud.rests("Canary", "90/10")
    assert fraud.condition("SignatureCompatible")["reason"] == "BreakingAllowed"


def test_another_major_release_has_no_pod_until_that_is_allowed(fraud: Served, model: Registered) -> None:
    model.release(model.version(AMOUNT, version="v1.4.0"))
    until(fraud.candidate_version, what="a version without a release is followed by one with a release")
    fraud.canary(100)
    fraud.rests("Stable", "100/0")
    assert fraud.status()["stable"]["model"]["release"] == "v1.4.0"
    fraud.canary(10)

    model.release(model.version(AMOUNT, version="v2.0.0"))

    until(lambda: fraud.condition("SignatureCompatible").get("status") == "False", what="it is held")
    assert "v2.0.0" in fraud.condition("SignatureCompatible")["message"]
    assert ("Deployment", fraud.revision("candidate")) not in fraud.names()
    model.release(model.version(AMOUNT, version="v1.5.0"))
    fraud.rests("Canary", "90/10")
    assert fraud.status()["candidate"]["model"]["release"] == "v1.5.0"


def test_an_alias_that_moves_back_ends_the_run_at_once(fraud: Served, model: Registered) -> None:
    stable, serves = fraud.revision("stable"), fraud.status()["stable"]["model"]["version"]
    model.release(model.version(AMOUNT))
    fraud.rests("Canary", "90/10")
    left = fraud.revision("candidate")

    model.release(serves)

    fraud.rests("Stable", "100/0")
    assert (fraud.revision("stable"), fraud.revision("candidate")) == (stable, None)
    assert fraud.weights() == {stable: 100}
    until(lambda: ("Service", left) not in fraud.names(), what="what is not wanted any more is gone")


def test_a_challenger_follows_an_alias_of_its_own_and_becomes_the_champion(fraud: Served, model: Registered) -> None:
    stable, first, second = fraud.revision("stable"), model.version(AMOUNT), model.version(AMOUNT)
    model.alias("challenger", first)
    fraud.patch(rollout={**TEN, "shadow": {"uri": f"models:/{model.name}@challenger", "percent": 20}})
    until(lambda: fraud.condition("ChallengerMirrored").get("status") == "True", what="the challenger gets copies")
    assert fraud.status()["challenger"]["model"]["uri"] == f"models:/{model.name}/{first}"
    left = fraud.revision("challenger")

    model.alias("challenger", second)
    until(lambda: fraud.status()["challenger"]["model"]["version"] == second, POLL_SECONDS + 5, "it follows")
    until(lambda: fraud.mirrors() == {fraud.revision("challenger"): 20}, what="the next one gets copies")
    until(lambda: left not in {name for _, name in fraud.names()}, what="the one before is gone")
    assert (fraud.weights(), fraud.status()["phase"]) == ({stable: 100}, "Stable")

    model.release(second)
    fraud.rests("Canary", "90/10")
    assert fraud.status()["candidate"]["model"]["version"] == second
    assert fraud.mirrors() == {}
    assert fraud.condition("ChallengerMirrored")["reason"] == "ChallengerServes"


def test_an_alias_that_is_moved_a_hundred_times_ends_where_it_came_to_rest(fraud: Served, model: Registered) -> None:
    stable, numbers = fraud.revision("stable"), [model.version(AMOUNT) for _ in range(4)]
    began = time.monotonic()

    for move in range(MOVES):
        model.release(numbers[move % len(numbers)])
        time.sleep(PAUSE_SECONDS)  # so that the moves last for many polls
    took = time.monotonic() - began

    last = numbers[(MOVES - 1) % len(numbers)]
    until(lambda: fraud.candidate_version() == last, POLL_SECONDS + 5, "the last one is the candidate")
    fraud.rests("Canary", "90/10")
    known = {stable, fraud.revision("candidate")}
    until(lambda: {name for kind, name in fraud.names() if kind == "Deployment"} == known, what="the others are gone")
    started = fraud.events("CandidateStarted")
    print(f"{MOVES} moves in {took:.0f} s, polled every {POLL_SECONDS} s: {started} candidates")
    assert 2 <= started <= took / (LEAST * POLL_SECONDS) + 3
    assert fraud.weights()[stable] == 90


def test_an_alias_that_is_taken_away_holds_what_runs_and_says_so(fraud: Served, model: Registered) -> None:
    stable = fraud.revision("stable")

    model.withdraw()

    until(lambda: fraud.condition("ModelResolved").get("reason") == "AliasNotFound", what="it is said")
    assert fraud.weights() == {stable: 100}
    assert fraud.condition("Available")["status"] == "True"


def test_a_version_that_is_deleted_while_it_serves_serves_on_and_that_is_said(
    fraud: Served, model: Registered
) -> None:
    stable, serves = fraud.revision("stable"), fraud.status()["stable"]["model"]["version"]

    model.delete(serves)  # and its alias with it

    until(lambda: fraud.condition("ModelResolved").get("status") == "False", what="it is said")
    assert fraud.weights() == {stable: 100}
    assert fraud.condition("Available")["status"] == "True"
    model.release(model.version(AMOUNT))
    fraud.rests("Canary", "90/10")
    fraud.canary(100)
    fraud.rests("Stable", "100/0")
    assert fraud.revision("stable") != stable
    until(lambda: fraud.condition("RegistryUpdated").get("reason") == "WrittenBack", what="MLflow was told the rest")
    assert model.in_production() == fraud.status()["stable"]["model"]["version"]
