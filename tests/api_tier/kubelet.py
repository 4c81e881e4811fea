"""Plays the kubelet, for there is no node here: pods are told ready, or broken, by the model that they are to serve.

It writes nothing but the status of pods, which is what a kubelet writes. Models whose URI holds `broken` report a
corrupt artefact, those that hold `slow` never become ready, all others are ready at once.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

SELECTOR = "app.kubernetes.io/managed-by=ferryman"
NOW = "2026-01-01T00:00:00Z"


class Kubelet:
    """A thread that gives pods their status."""

    def __init__(self, kubeconfig: Path) -> None:
        self._api = config.new_client_from_config(str(kubeconfig))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def __enter__(self) -> Kubelet:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            # an apiserver that is restarted by a test, or a pod that went between two requests
            with contextlib.suppress(client.ApiException, urllib3.exceptions.HTTPError):
                self._look()

    def _look(self) -> None:
        pods = self._call("GET", "/api/v1/pods", query=[("labelSelector", SELECTOR)])["items"]
        for pod in pods:
            status = status_of(pod)
            if status is not None and pod.get("status", {}).get("phase") != status["phase"]:
                metadata = pod["metadata"]
                path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
                self._call("PATCH", path, body={"status": status})

    def _call(self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: Any = None) -> Any:
        answer = self._api.call_api(
            *self._api.param_serialize(
                method,
                path,
                query_params=query or [],
                header_params={"Accept": "application/json", "Content-Type": "application/merge-patch+json"},
                body=body,
                auth_settings=["BearerToken"],
            )
        )
        text = answer.read()
        if answer.status >= 400:
            raise client.ApiException(status=answer.status, reason=str(text))
        return json.loads(text)


def status_of(pod: dict[str, Any]) -> dict[str, Any] | None:
    """Return the status that a kubelet would give a pod; none for one that never starts."""
    environment = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}
    uri = environment["FERRYMAN_MODEL_URI"]
    if "slow" in uri:
        return None
    if "broken" in uri:
        said = json.dumps({"reason": "ArtifactCorrupt", "message": f"the files of {uri} are incomplete"})
        ended = {
            "terminated": {"exitCode": 1, "reason": "Error", "message": said, "finishedAt": NOW, "startedAt": NOW}
        }
        return {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": NOW}],
            "initContainerStatuses": [_container(pod["spec"]["initContainers"][0], ended, ready=False)],
        }
    running = {"running": {"startedAt": NOW}}
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": NOW}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [_container(pod["spec"]["containers"][0], running, ready=True)],
    }


def _container(spec: dict[str, Any], state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    return {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "ready": ready,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
