"""Threads follow the pod's CPU limit."""

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

    assert threads.allowed(tmp_path / "cpu.max", tmp_path / "none", tmp_path / "none") == wanted


def test_a_cgroup_v1_limit_is_read_too(tmp_path):
    (tmp_path / "quota").write_text("100000\n")
    (tmp_path / "period").write_text("100000\n")

    assert threads.allowed(tmp_path / "none", tmp_path / "quota", tmp_path / "period") == 1


@pytest.mark.parametrize(
    ("cpu_max", "wanted"), [("max 100000", None), ("150000 100000", min(1.5, CORES)), ("?", None)]
)
def test_without_a_limit_no_core_is_granted(tmp_path, cpu_max, wanted):
    (tmp_path / "cpu.max").write_text(cpu_max)

    assert threads.granted(tmp_path / "cpu.max", tmp_path / "none", tmp_path / "none") == wanted


def test_what_the_user_set_stays():
    env = {"OMP_NUM_THREADS": "7"}

    threads.limit(env, 2)

    assert env["OMP_NUM_THREADS"] == "7"
    assert env["OPENBLAS_NUM_THREADS"] == "2"
