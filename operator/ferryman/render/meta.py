"""What every child carries: its name, labels of our own, and an owner, so that it goes when its owner goes.

Nothing is copied from the owner's labels or annotations: a GitOps tool that tracks by label would claim the child
as its own and prune it.
"""

from __future__ import annotations

from typing import Any

from ferryman.api.modeldeployment import API_VERSION, KIND, ObjectMeta
from ferryman.render import names


def metadata(
    owner: ObjectMeta, name: str, revision: str | None = None, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the metadata of a child of `owner`; of one revision, if one is given."""
    labels = {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_DEPLOYMENT: owner.name,
    }
    if revision is not None:
        labels[names.LABEL_REVISION] = revision
    body: dict[str, Any] = {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels,
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if annotations:
        body["annotations"] = annotations
    return body
