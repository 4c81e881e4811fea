"""Runs a program to its end, and tells what it said when it failed."""

import os
import subprocess
from collections.abc import Mapping

from localcluster import errors, tools


def run(
    *argv: str,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = 120,
) -> str:
    """The program's standard output; a ClusterError with its last words where it fails."""
    done = attempt(*argv, stdin=stdin, env=env, seconds=seconds)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-8:]
        raise errors.ClusterError(f"{' '.join(argv)} failed ({done.returncode}): " + "\n  ".join(words))
    return done.stdout


def attempt(
    *argv: str,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = 120,
) -> subprocess.CompletedProcess[str]:
    """As run, where failing is one of the answers."""
    program = tools.find(argv[0]) or argv[0]
    try:
        return subprocess.run(
            [program, *argv[1:]],
            input="" if stdin is None else stdin,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(argv, 127, "", f"{argv[0]}: no such program")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"no end after {seconds:.0f} s")
