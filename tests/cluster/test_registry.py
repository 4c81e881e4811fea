"""A data scientist moves an alias in MLflow, and MLflow itself tells the operator: no poll is waited for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from cluster import figures, lanes
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import patience, stage
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import Status, condition, revision
from ferrydemo.stage import Version

HEARD_SECONDS = 5.0
"""From the move of an alias to the candidate's Deployment."""
NEVER = 600
"""A polling period that no test waits for."""
SECRET = "mlflow-webhook"  # the name of a Secret


@pytest.fixture(scope="module")
def delivered(installed: Kube) -> Iterator[None]:
    """An operator that hears of MLflow's webhooks and hardly ever polls."""
    shared = secrets.token_hex(16)
    installed.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": stage.SYSTEM_NAMESPACE},
            "stringData": {"secret": shared},
        }
    )
    with lanes.alone():
        stage.operator(installed, poll_seconds=NEVER, webhook_secret=SECRET)
        stage.rolled_out(installed, stage.SYSTEM_NAMESPACE, stage.OPERATOR, START_SECONDS)
        stage.webhook(installed, shared)
    yield
    with lanes.alone():
        stage.operator(installed, poll_seconds=2)
        stage.rolled_out(installed, stage.SYSTEM_NAMESPACE, stage.OPERATOR, START_SECONDS)
    installed.kubectl("-n", stage.SYSTEM_NAMESPACE, "delete", "secret", SECRET)


def test_an_alias_that_moves_starts_a_candidate_before_any_poll(delivered: None, served: Served):
    kube, before = served.deployment.kube, served.deployment.status()
    serving, next_one = before["stable"]["model"]["uri"], served.other()
    stage.alias(kube, "released", serving)
    served.patch("models:/pool@released", canary={"trafficPercent": 50})
    served.deployment.wait(
        "the alias to be what serves already",
        lambda said: said.get("phase") == "Stable" and not said.get("candidate"),
        ACT_SECONDS,
    )
    known = deployments(served)

    stage.alias(kube, "released", next_one)
    moved = time.monotonic()

    patience.until("the candidate's Deployment", lambda: deployments(served) - known, HEARD_SECONDS)
    figures.note("alias moved to candidate's Deployment, by webhook", time.monotonic() - moved)
    status = served.until_weight(50)
    assert status["candidate"]["model"]["uri"] == next_one
    assert revision(status, "stable") == revision(before, "stable")


def test_mlflow_says_what_became_of_a_release(delivered: None, served: Served):
    kube, before = served.deployment.kube, served.deployment.status()
    old, new = (version_of(served, uri) for uri in (before["stable"]["model"]["uri"], served.other()))
    stage.alias(kube, "released", old.uri)
    policy = {"writeBack": True, "stableAlias": "in-production"}
    model = {"uri": "models:/pool@released", "digest": None, "registry": policy}
    served.patch("models:/pool@released", canary={"trafficPercent": 100})
    served.deployment.patch({"model": model})
    served.until_stable(old.uri)

    stage.alias(kube, "released", new.uri)
    served.until_stable(new.uri, START_SECONDS)
    status = served.deployment.wait("MLflow to be told", told, ACT_SECONDS)

    key, name = f"ferryman.{served.deployment.namespace}.fraud", revision(status, "stable")
    serves, replaced = stage.recorded(kube, new), stage.recorded(kube, old)
    assert serves.tags[key].startswith("Promoted ")
    assert serves.tags[key].endswith(f" as {name}")
    assert replaced.tags[key].startswith("Replaced ")
    assert "in-production" in serves.aliases
    served.deployment.patch({"model": {"registry": None}})


def told(status: Status) -> bool:
    """Tell whether MLflow was told of what serves."""
    return condition(status, "RegistryUpdated").get("reason") == "WrittenBack"


def version_of(served: Served, uri: str) -> Version:
    return next(version for version in served.models.versions if version.uri == uri)


def deployments(served: Served) -> set[str]:
    """Return the names of the Deployments that there are."""
    path = f"/apis/apps/v1/namespaces/{served.deployment.namespace}/deployments"
    return {body["metadata"]["name"] for body in served.deployment.kube.items(path)}
