"""Every name and label that Ferryman gives, in one place.

Names follow from the ModelDeployment's name and the revision's hash alone, so that a second attempt at a write
finds what the first one made.
"""

from __future__ import annotations

import re

LABEL_DEPLOYMENT = "ferryman.dev/deployment"
LABEL_REVISION = "ferryman.dev/revision"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "ferryman"

PREFIX = "ferryman.dev/"
"""What every label and annotation of ours begins with, the verbs among a ModelDeployment's annotations, too."""
ANNOTATION_MEMORY = "ferryman.dev/memory"
"""On the front Service: the decisions of the status, from which a wiped one is rebuilt."""
ANNOTATION_DECIDED = "ferryman.dev/decided"
"""On the VirtualService: the digest of the decisions that it follows from."""
ANNOTATION_RECORD = "ferryman.dev/record"
"""On a Deployment: the revision's record, from which a wiped status is rebuilt."""
ANNOTATION_APPLIED = "ferryman.dev/applied"
"""On every child: the digest of what was last applied, so that an unchanged child is not written again."""
ANNOTATION_OWNER = "ferryman.dev/owner"
"""On every child: the uid of the ModelDeployment that it was made for, whatever became of its owner reference."""

FIELD_MANAGER = "ferryman"
STATUS_MANAGER = "ferryman-status"
SCALE_MANAGER = "ferryman-scale"
"""Who sets numbers of pods. Not who applies Deployments: a field that an applier drops falls back to its default."""

CANARY_SUFFIX = "-canary"

HTTP, GRPC = "http", "grpc"
"""A pod's ports, wherever its server listens: a Service that selects pods of several revisions finds each one's."""
PORT, GRPC_PORT = 8080, 9000
"""Where the bundled server listens inside its pod."""
CONTENT_TYPE, GRPC_CONTENT = "content-type", "application/grpc"
"""By what a gRPC call is known, whatever port it came to (the protocol's own specification: it begins with this)."""
SERVICE_PORT, SERVICE_GRPC_PORT = 80, 9000
"""Where a revision's Service and the front Service listen."""


def revision(deployment: str, digest: str) -> str:
    """Return the name of a revision, which all of its own children carry."""
    return f"{deployment}-{digest[:8]}"


def revision_of_child(deployment: str, child: str) -> str | None:
    """Return the revision that a child's name belongs to; None for a child of the whole, or of somebody else."""
    found = re.fullmatch(rf"({re.escape(deployment)}-[0-9a-f]{{8}})({CANARY_SUFFIX})?", child)
    return found[1] if found else None


def host(service: str, namespace: str, domain: str) -> str:
    """Return the name that Istio knows a Service by."""
    return f"{service}.{namespace}.svc.{domain}"


def canary(revision_name: str) -> str:
    """Return the name of a revision's second address, from which requests fall back to other revisions."""
    return revision_name + CANARY_SUFFIX


def revision_of_host(name: str) -> str:
    """Return the revision that an Istio host stands for, by either of its addresses."""
    return name.split(".", 1)[0].removesuffix(CANARY_SUFFIX)


def selector(deployment: str, revision_name: str) -> dict[str, str]:
    """Return the labels that pick one revision's pods."""
    return {LABEL_DEPLOYMENT: deployment, LABEL_REVISION: revision_name}
