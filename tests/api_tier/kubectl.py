"""What a user types: kubectl against the test's control plane, and the patience to wait for what follows."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

Seen = TypeVar("Seen")


class Refused(Exception):  # noqa: N818  that is what it was
    """kubectl answered with an error; its words are the message."""


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str | None = "default") -> None:
        self._program = program
        self._kubeconfig = kubeconfig
        self.namespace = namespace

    def inside(self, namespace: str | None) -> Kubectl:
        """Return a kubectl for another namespace; for those that manifests name themselves, if it is None."""
        return Kubectl(self._program, self._kubeconfig, namespace)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        where = ("-n", self.namespace) if self.namespace is not None else ()
        command = [str(self._program), "--kubeconfig", str(self._kubeconfig), *where, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return done.stdout

    def apply(self, *bodies: dict[str, Any]) -> None:
        self("apply", "-f", "-", stdin="\n---\n".join(json.dumps(body) for body in bodies))

    def patch(self, kind: str, name: str, change: dict[str, Any]) -> None:
        self("patch", kind, name, "--type=merge", "-p", json.dumps(change))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else None

    def list(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        return json.loads(self("get", kinds, "-o", "json", *arguments))["items"]


def until(look: Callable[[], Seen], within: float = 30.0, what: str = "") -> Seen:
    """Look again and again until there is something to see; fail with the last sight after the deadline."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or look}; last seen: {seen!r}")
        time.sleep(0.1)


def until_none(look: Callable[[], Collection[Any]], within: float = 30.0, what: str = "") -> None:
    """Look again and again until nothing is left to see; fail with what is left after the deadline."""
    deadline = time.monotonic() + within
    while left := look():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or look}; left: {left!r}")
        time.sleep(0.1)
