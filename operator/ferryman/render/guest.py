"""The container of a server that somebody else wrote: Triton, TensorFlow Serving, MLServer, a user's own.

It gets the fetched model, a place to write, and no more rights than the bundled server. What cannot be known of it
is assumed kindly: it may write to its own image, and may load its model before it listens, however long that takes;
a rollout has a deadline.
"""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.render import environment, names

Body = dict[str, Any]

SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
LOADING = {"periodSeconds": 1, "failureThreshold": 3600}
"""A guest that loads before it listens is given an hour; a candidate's deadline is usually shorter."""


def container(owner: ObjectMeta, revision: Revision) -> Body | None:
    """Return what a guest's container has of its own; None where the bundled server serves."""
    wish = revision.pod.server
    if wish.image is None or wish.container is None:
        return None
    told = wish.container
    ports = [{"name": names.HTTP, "containerPort": told.port}]
    if told.grpc_port is not None:
        ports.append({"name": names.GRPC, "containerPort": told.grpc_port})
    listens = {"tcpSocket": {"port": names.HTTP}}
    body: Body = {
        "image": wish.image,
        "env": environment.guest(owner, revision, told.env),
        "ports": ports,
        "securityContext": SECURITY,
        "startupProbe": {**listens, **LOADING},
        "livenessProbe": {**listens, "periodSeconds": 10, "timeoutSeconds": 5},
        "readinessProbe": {
            "httpGet": {"path": told.health(owner.name), "port": names.HTTP},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }
    return body | {key: list(words) for key, words in (("command", told.command), ("args", told.args)) if words}
