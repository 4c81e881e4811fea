"""What is left below the limit, as the kernel's files tell it in either version."""

from pathlib import Path

import pytest

from ferryman_server import memory

MIB = 1 << 20


def files(root: Path, limit: str, usage: int, stat: str) -> tuple[Path, ...]:
    paths = tuple(root / name for name in ("limit", "usage", "stat"))
    for path, text in zip(paths, (limit, str(usage), stat), strict=True):
        path.write_text(text + "\n")
    return paths


def test_unused_pages_of_files_count_as_left(tmp_path):
    v2 = files(tmp_path, str(512 * MIB), 200 * MIB, f"anon 1\ninactive_file {50 * MIB}")

    assert memory.left((v2,)) == (512 - 200 + 50) * MIB


@pytest.mark.parametrize("none", ["max", "9223372036854771712"])
def test_where_there_is_no_limit_nothing_is_short(none, tmp_path):
    assert memory.left((files(tmp_path, none, MIB, "anon 1"),)) is None


def test_where_nothing_can_be_read_no_limit_is_known(tmp_path):
    assert memory.left(((tmp_path / "a", tmp_path / "b", tmp_path / "c"),)) is None


def test_the_older_files_are_read_where_the_newer_are_not(tmp_path):
    nowhere = (tmp_path / "a", tmp_path / "b", tmp_path / "c")
    v1 = files(tmp_path, str(300 * MIB), 100 * MIB, f"inactive_file 7\ntotal_inactive_file {MIB}")

    assert memory.left((nowhere, v1)) == 201 * MIB


def test_the_room_is_the_pods_or_the_machines_whichever_is_less(tmp_path):
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 1048576 kB\nMemFree: 1 kB\nMemAvailable: 307200 kB\nHugePages_Total: 0\n")
    pod = files(tmp_path, str(512 * MIB), 400 * MIB, "anon 1")

    assert memory.room((pod,), machine) == memory.Room(512 * MIB, 112 * MIB)


@pytest.mark.parametrize("limit", ["max", str(4096 * MIB)])
def test_a_limit_above_the_machines_memory_is_none(limit, tmp_path):
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 1048576 kB\nMemAvailable: 307200 kB\n")

    found = memory.room((files(tmp_path, limit, MIB, "anon 1"),), machine)

    assert found == memory.Room(1024 * MIB, 300 * MIB)
