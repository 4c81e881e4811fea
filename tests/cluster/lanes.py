"""Two runs of these tests side by side on one cluster: which tests belong to which, and how they keep out of each
other's way.

Tests that stop the operator, reinstall it, silence the registry or change the node run in one lane, all others in the
other; a test of the other lane that counts seconds holds a shared lock, which the first lane's disturbances wait for.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from localcluster import paths

DISTURBING = frozenset(
    {
        "test_kubectl.py",
        "test_examples.py",
        "test_broken_candidates.py",
        "test_gpu.py",
        "test_guests.py",
        "test_journeys.py",
        "test_no_surge.py",
        "test_quiet.py",
        "test_registry.py",
        "test_survival.py",
    }
)
"""The files of the lane `installation`; every other file is of the lane `traffic`."""

AFTERWARDS = frozenset({"test_survival_apiserver.py", "test_rights.py"})
"""The files of the lane `afterwards`, which runs when both others are done: one silences the whole cluster, and one
looks back on all that was done."""

LANES = ("installation", "traffic", "afterwards")
FIRST, LAST = "test_kubectl.py", frozenset({"test_quiet.py", "test_rights.py"})
"""The first makes what the last looks at two minutes later; the rights are looked at when all was done."""


def chosen(file: str, lane: str | None) -> bool:
    """Tell whether a file's tests run in a lane; without a lane all do but those that come afterwards."""
    if file in AFTERWARDS:
        return lane == "afterwards"
    return lane is None or (lane != "afterwards" and (file in DISTURBING) == (lane == "installation"))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let nobody disturb the installation meanwhile; for a few seconds that are counted."""
    with _locked(fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Change what both lanes stand on, while nobody counts seconds."""
    with _locked(fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _locked(how: int) -> Iterator[None]:
    file = paths.REPOSITORY / ".reports" / "cluster.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, how)
        yield
