"""The cluster as a user meets it: kubectl for what one types, the apiserver itself for what one watches.

Polling through kubectl would start a process for every look, and take the two cores from the pods that are being
waited for; so looks are plain HTTPS requests with the kubeconfig's own certificate.
"""

from __future__ import annotations

import base64
import os
import shlex
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import httpx
import yaml

from localcluster import binaries


class KubectlError(Exception):
    """A command failed; the text is what it said."""


class Kube:
    """One cluster, by its kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = str(binaries.path("kubectl"))
        self._http = _client(kubeconfig)

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl and return what it printed."""
        return self.run([self._kubectl, *arguments], stdin=stdin, seconds=seconds)

    def type(self, command: str) -> str:
        """Run a command line that begins with `kubectl`, as a user would type it."""
        program, *arguments = shlex.split(command)
        assert program == "kubectl", f"only kubectl is typed here, not {program}"
        return self.kubectl(*arguments)

    def run(self, command: list[str], *, stdin: str | None = None, seconds: float = 120) -> str:
        """Run any program with this cluster's kubeconfig and return what it printed."""
        done = subprocess.run(
            command,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        if done.returncode != 0:
            raise KubectlError(f"{shlex.join([Path(command[0]).name, *command[1:]])}: {done.stderr.strip()}")
        return done.stdout

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """Read an object or a list by its API path; None when there is no such thing."""
        answer = self._http.get(path, params=query)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Read a list's items by its API path."""
        return list((self.get(path, **query) or {}).get("items", []))

    def text(self, path: str) -> str:
        """Read what stands behind an API path as text: a log, or a pod's metrics through the proxy."""
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.text

    def apply(self, manifest: str | dict[str, Any] | list[dict[str, Any]]) -> str:
        """Apply YAML, or objects."""
        text = manifest if isinstance(manifest, str) else to_yaml(manifest)
        return self.kubectl("apply", "-f", "-", stdin=text)


def to_yaml(manifest: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Write one object, or several, as YAML documents."""
    documents = manifest if isinstance(manifest, list) else [manifest]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _client(kubeconfig: Path) -> httpx.Client:
    """Build an HTTPS client from a kubeconfig with a client certificate, inline or in files."""
    content = yaml.safe_load(kubeconfig.read_text())
    current = next(entry["context"] for entry in content["contexts"] if entry["name"] == content["current-context"])
    cluster = next(entry["cluster"] for entry in content["clusters"] if entry["name"] == current["cluster"])
    user = next(entry["user"] for entry in content["users"] if entry["name"] == current["user"])
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority", kubeconfig).decode())
    with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
        pair.write(_pem(user, "client-certificate", kubeconfig) + b"\n" + _pem(user, "client-key", kubeconfig))
        pair.flush()
        context.load_cert_chain(pair.name)
    return httpx.Client(base_url=cluster["server"], verify=context, timeout=15, trust_env=False)


def _pem(entry: dict[str, Any], key: str, kubeconfig: Path) -> bytes:
    if f"{key}-data" in entry:
        return base64.b64decode(str(entry[f"{key}-data"]))
    return (kubeconfig.parent / str(entry[key])).read_bytes()
