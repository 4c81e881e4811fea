"""The apiserver's word on many ModelDeployments: dry runs over one connection; kubectl would take far longer."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from ferryman.api.modeldeployment import API_VERSION, KIND


class Judge:
    """Asks with a kubeconfig's rights; use as a context."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        tls.load_cert_chain(user["client-certificate"], user["client-key"])
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/modeldeployments"
        self._http = httpx.Client(base_url=cluster["server"], verify=tls, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(self, spec: Any, name: str = "fraud") -> str:
        """Try to create a ModelDeployment; return why it was refused, or nothing where it was taken."""
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
        answer = self._http.post(self._path, params={"dryRun": "All", "fieldValidation": "Strict"}, json=body)
        if answer.status_code == httpx.codes.CREATED:
            return ""
        assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text[:500]}"
        return str(answer.json()["message"])
