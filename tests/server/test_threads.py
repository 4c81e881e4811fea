"""Threads follow the pod's CPU limit, or its request."""

import os

import pytest

from ferryman_server import threads

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("cpu_max", "wanted"),
    [
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("150000 100000", min(2, CORES)),
        ("max 100000", CORES),
        ("?", CORES),
    ],
)
def test_a_cgroup_v2_limit_rounds_up_to_whole_cpus(tmp_path, cpu_max, wanted):
    (tmp_path / "cpu.max").write_text(cpu_max)

    none = tmp_path / "none"
    assert threads.allowed(v2=tmp_path / "cpu.max", quota=none, period=none, weight=none) == wanted


def test_a_cgroup_v1_limit_is_read_too(tmp_path):
    (tmp_path / "quota").write_text("100000\n")
    (tmp_path / "period").write_text("100000\n")

    none = tmp_path / "none"
    assert threads.allowed(v2=none, quota=tmp_path / "quota", period=tmp_path / "period", weight=none) == 1


@pytest.mark.parametrize(
    ("cpu_max", "wanted"), [("max 100000", None), ("150000 100000", min(1.5, CORES)), ("?", None)]
)
def test_without_a_limit_no_core_is_granted(tmp_path, cpu_max, wanted):
    (tmp_path / "cpu.max").write_text(cpu_max)

    assert threads.granted(tmp_path / "cpu.max", tmp_path / "none", tmp_path / "none") == wanted


@pytest.mark.parametrize(
    ("weight", "cluster", "cores"),
    [
        ("1\n", True, 0.002),  # no request
        ("39\n", True, 0.975),  # of 1, rounded down on its way
        ("79\n", True, 2.0),
        ("313\n", True, 8.0),
        ("102\n", True, 2.6),  # of 1, by the runtimes of today
        ("100\n", False, None),
        ("100\n", True, 2.5),
        ("?", True, None),
    ],
)
def test_a_pod_without_a_limit_is_told_its_request_by_its_weight(tmp_path, weight, cluster, cores):
    (tmp_path / "cpu.weight").write_text(weight)

    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"} if cluster else {}
    assert threads.requested(tmp_path / "cpu.weight", env) == (None if cores is None else pytest.approx(cores, 0.03))


@pytest.mark.parametrize(
    ("request_", "weight", "wanted"), [(0.0, "1", 1), (0.0, "20", 1), (1.0, "10000", 1), (64.0, "1", CORES)]
)
def test_a_pod_without_a_limit_does_not_start_a_thread_for_each_core_of_its_node(tmp_path, request_, weight, wanted):
    (tmp_path / "cpu.max").write_text("max 100000")
    (tmp_path / "cpu.weight").write_text(weight)

    none = tmp_path / "none"
    found = threads.allowed(
        request_, v2=tmp_path / "cpu.max", quota=none, period=none, weight=tmp_path / "cpu.weight"
    )
    assert found == wanted


def test_a_limit_goes_before_a_request(tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000")

    assert threads.allowed(64.0, v2=tmp_path / "cpu.max") == 1


def test_what_the_user_set_stays():
    env = {"OMP_NUM_THREADS": "7"}

    threads.limit(env, 2)

    assert env["OMP_NUM_THREADS"] == "7"
    assert env["OPENBLAS_NUM_THREADS"] == "2"
