"""One virtual environment a peer, from a lock of its own with every hash."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.server import places


class NoEnvironmentError(Exception):
    """An environment could not be made; the text says which and why."""


def made(name: str) -> bool:
    """Tell whether the environment stands and is what its lock says."""
    stamp = places.CACHE / name / ".lock-digest"
    return name == "ferryman" or (stamp.is_file() and stamp.read_text() == _digest(name))


def make(name: str) -> None:
    """Make it, or bring it up to its lock."""
    if made(name):
        return
    folder = places.CACHE / name
    places.CACHE.mkdir(parents=True, exist_ok=True)
    if not (folder / "bin" / "python").exists():
        _run(name, sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder))
    python, lock = str(folder / "bin" / "python"), str(places.LOCKS / f"{name}.lock")
    _run(name, str(places.UV), "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock)
    (folder / ".lock-digest").write_text(_digest(name))


def lock() -> None:
    """Renew every lock from its `.in` file; an `.override` beside it lifts a bound that nothing can meet."""
    for wanted in sorted(places.LOCKS.glob("*.in")):
        name = wanted.stem
        override = places.LOCKS / f"{name}.override"
        lifted = ("--override", str(override)) if override.exists() else ()
        flags = (
            "--quiet",
            "--upgrade",
            "--no-header",
            "--generate-hashes",
            "--python-version",
            "3.11",
            "--no-annotate",
        )
        output = ("-o", str(places.LOCKS / f"{name}.lock"))
        print(f"locking {name}", flush=True)
        _run(name, str(places.UV), "pip", "compile", *flags, *lifted, str(wanted), *output)


def versions(lock_text: str, *names: str) -> dict[str, str]:
    """Return the versions that a lock pins, of the packages asked for that it has."""
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", lock_text, re.MULTILINE))
    return {name: pinned[name] for name in names if name in pinned}


def lock_of(name: str) -> Path:
    """Return the lock that an environment is made from."""
    ours = places.REPOSITORY / "requirements" / "server-dev.lock"
    return ours if name == "ferryman" else places.LOCKS / f"{name}.lock"


def _digest(name: str) -> str:
    return hashlib.sha256(lock_of(name).read_bytes()).hexdigest()


def _run(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise NoEnvironmentError(f'The environment "{name}" cannot be made: {said[-2000:]}')


if __name__ == "__main__":
    lock()
