"""What a user reads with kubectl."""

from __future__ import annotations

from cluster.quiet import Quiet
from cluster.served import ACT_SECONDS

from ferrydemo import patience, stage
from ferrydemo.kube import Kube


def test_get_mdep_tells_the_rollout_in_one_line(quiet: Quiet, installed: Kube):
    stable = quiet.deployment.status()["stable"]["revision"]

    header, line = installed.kubectl("-n", "quiet", "get", "mdep").splitlines()

    assert header.split() == ["NAME", "READY", "PHASE", "STEP", "STABLE", "CANDIDATE", "TRAFFIC", "SHADOW", "AGE"]
    assert line.split()[:3] == ["fraud", "True", "Stable"]
    assert stable in line.split()
    assert "100/0" in line


def test_get_wide_adds_the_address_and_the_reason(quiet: Quiet, installed: Kube):
    header, line = installed.kubectl("-n", "quiet", "get", "mdep", "-o", "wide").splitlines()

    assert {"URL", "REASON"} <= set(header.split())
    assert "http://quiet.example.com" in line.split()


def test_explain_reads_like_documentation(installed: Kube):
    told = installed.kubectl("explain", "mdep.spec.model.uri")

    assert "FIELD: uri <string>" in told
    assert "models:/NAME@ALIAS" in told
    assert "candidate" in told


def test_the_objects_are_found_by_their_category(quiet: Quiet, installed: Kube):
    told = installed.kubectl("-n", "quiet", "get", "models", "-o", "name")

    assert told.split() == ["modeldeployment.ferryman.dev/fraud"]


def test_the_operator_needs_less_than_200_megabytes(quiet: Quiet, installed: Kube):
    def memory() -> list[int]:
        usage = installed.items(f"/apis/metrics.k8s.io/v1beta1/namespaces/{stage.SYSTEM_NAMESPACE}/pods")
        return [bytes_of(container["usage"]["memory"]) for pod in usage for container in pod["containers"]]

    used = patience.until("metrics of the operator's pod", memory, ACT_SECONDS * 2)

    assert max(used) < 200 * 10**6


def bytes_of(quantity: str) -> int:
    """Read a quantity as the metrics API writes it."""
    for suffix, factor in (("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30)):
        if quantity.endswith(suffix):
            return int(quantity.removesuffix(suffix)) * factor
    return int(quantity)
