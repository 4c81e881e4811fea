"""`python -m ferryman_server --model ...` as a person runs it, and what it prints read back."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from server import process

_ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ferryman_server", *map(str, arguments)]


def environment(home: Path, **more: str) -> dict[str, str]:
    """A person's: a home, a path, and nothing of ours."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(_ROOT / "runtime-image"), **more}


def ends(home: Path, *arguments: object, **more: str) -> tuple[int, str]:
    """A run that ends by itself: its exit code, and all that it said."""
    env = environment(home, **more)
    done = subprocess.run(
        command(*arguments), env=env, capture_output=True, text=True, timeout=120, cwd=home, check=False
    )
    return done.returncode, done.stdout + done.stderr


@dataclass
class Served:
    """A server that greeted."""

    popen: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def greeting(self) -> str:
        return self.out.read_text()

    @property
    def address(self) -> str:
        found = re.search(r"address +(\S+)", self.greeting)
        assert found, self.greeting
        return found[1]

    def ask(self) -> tuple[int, str]:
        """What a person gets who copies the curl line into their shell: the status and the answer."""
        [line] = re.findall(r"^  (curl .*\n(?:    .*\n)*)", self.greeting, re.MULTILINE)
        asked = f"{line.strip()} --write-out '\\n%{{http_code}}'"
        said = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=True, timeout=30).stdout
        answer, _, status = said.rpartition("\n")
        return int(status), answer

    def get(self, path: str) -> Any:
        return httpx.get(self.address + path, timeout=10).json()

    def interrupted(self) -> int:
        self.popen.send_signal(signal.SIGINT)
        return self.popen.wait(timeout=30)


@contextlib.contextmanager
def served(home: Path, *arguments: object, **more: str) -> Iterator[Served]:
    """A server on any free port, once it says that it is ready; it is gone afterwards."""
    out, err = home / "stdout", home / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        popen = subprocess.Popen(
            command(*arguments, "--port", 0), env=environment(home, **more), stdout=stdout, stderr=stderr, cwd=home
        )
    running = Served(popen, out, err)

    def greeted() -> bool:
        assert popen.poll() is None, err.read_text()
        return "Ctrl-C ends it." in running.greeting

    try:
        process.until(greeted, "the server greets", 120)
        yield running
    finally:
        popen.kill()
        popen.wait()
