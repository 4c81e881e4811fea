"""The chart's rights against what the operator did in the whole of this tier, as the apiserver wrote it down.

Runs by itself when both lanes are done (`--lane=afterwards`): every right was used, no used one is missing, and
nothing was written but in the namespaces of ModelDeployments.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import datetime

import pytest
from cluster import audit
from cluster.audit import Request, Right

from ferrydemo import stage
from ferrydemo.kube import Kube
from localcluster import binaries, source

ASKED_BY_ADMISSION = {Right("ferryman.dev", "modeldeployments/finalizers", "update")}
"""What no log tells of; tests/api_tier/test_rights.py shows that it is needed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked, and the operator's rights as they are."""

    requests: list[Request]
    granted: set[Right]
    since: datetime
    """Since when the rights are what they are; what was asked before says nothing against them."""

    @property
    def latest(self) -> list[Request]:
        """Return what was asked since then."""
        return [request for request in self.requests if request.at >= self.since]


@pytest.fixture(scope="module")
def run(kube: Kube) -> Run:
    role = kube.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{stage.OPERATOR}")
    assert role is not None, "the operator is not installed"
    since = datetime.fromisoformat(max(entry["time"] for entry in role["metadata"]["managedFields"]))
    log = source.plan().audit_log
    assert log.exists(), f"{log}: the apiserver of a cluster from source writes down what the operator asks"
    return Run(audit.requests(log), audit.granted(chart(), stage.OPERATOR), since)


def chart() -> str:
    """Return the chart's manifests."""
    command = (str(binaries.path("helm")), "template", stage.OPERATOR, str(stage.CHART))
    where = ("--namespace", stage.SYSTEM_NAMESPACE, "--kube-version", "1.34")
    return subprocess.run([*command, *where], check=True, capture_output=True, text=True).stdout


def test_nothing_that_the_operator_asked_was_denied(run: Run):
    assert audit.denied(run.latest, run.granted) == []


def test_every_right_that_was_used_is_the_chart_s(run: Run):
    assert audit.used(run.latest) - run.granted == set()


def test_every_right_that_was_given_was_used(run: Run):
    """S1: a right that a whole suite of rollouts, broken models and full nodes does not need is one too many."""
    assert len(run.requests) > 1000, "the whole tier ran before this"
    assert run.granted - audit.used(run.requests) - ASKED_BY_ADMISSION == set()


def test_every_write_was_made_where_a_modeldeployment_is(run: Run):
    """S9, I8."""
    assert audit.strays(run.requests, stage.SYSTEM_NAMESPACE) == []


def test_nobody_s_secret_was_asked_for(run: Run):
    """S2."""
    assert {request.right.resource for request in run.requests} & {"secrets", "serviceaccounts"} == set()
