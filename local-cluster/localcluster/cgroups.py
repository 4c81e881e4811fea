"""A control group of the cluster's own, below which the kubelet puts all pods: what is in it may be ended.

Version 1 has one tree a controller under /sys/fs/cgroup, version 2 has one tree; hybrids have both.
"""

import contextlib
import hashlib
import os
import pathlib
import signal
import time

from localcluster import paths, waiting

MOUNTED = pathlib.Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "memory", "pids", "hugetlb", "io")


def name() -> str:
    """The group's name, another for each cluster folder."""
    return f"ferryman-{hashlib.sha256(str(paths.state()).encode()).hexdigest()[:8]}"


def trees() -> list[pathlib.Path]:
    """The roots of all hierarchies."""
    if (MOUNTED / "cgroup.controllers").exists():
        return [MOUNTED]
    return sorted({folder.resolve() for folder in MOUNTED.iterdir() if (folder / "cgroup.procs").exists()})


def create() -> None:
    """Make the group in each hierarchy, with all that the kubelet wants to find there."""
    for tree in trees():
        for controller in CONTROLLERS:
            # Version 2 alone has this file, and a kernel may lack a controller.
            with contextlib.suppress(OSError):
                (tree / "cgroup.subtree_control").write_text(f"+{controller}")
        group = tree / name()
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In version 1 a new group may use no processor until it is told which.
            if (tree / "tasks").exists() and (group / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((tree / setting).read_text())


def groups() -> list[pathlib.Path]:
    """The group and all below it, deepest first."""
    roots = [tree / name() for tree in trees()]
    found = [pathlib.Path(where) for root in roots if root.is_dir() for where, _, _ in os.walk(root)]
    return sorted(found, key=lambda folder: len(folder.parts), reverse=True)


def kill() -> None:
    """End the processes in all pods."""

    def gone() -> bool:
        left = _pids()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    waiting.until(gone, seconds=10)


def remove() -> None:
    """Delete the groups, which have to be empty."""
    for folder in groups():
        deadline = time.monotonic() + 2
        while folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.02)  # the kernel lets go of ended processes a moment later


def _pids() -> set[int]:
    found: set[int] = set()
    for folder in groups():
        with contextlib.suppress(OSError):
            found.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
    return found
