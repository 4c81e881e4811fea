"""Whose an object is that has the name, or the label, of a child of ours.

The controller in its owner references decides. Where that was lost or spoiled, by hand or by a tool that restores
backups, the marks that every child of ours carries tell whose it is by right; then it is claimed, which restarts
nothing. What belongs to an earlier ModelDeployment of the same name is left to the garbage collector.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from ferryman.api.modeldeployment import GROUP, KIND, ObjectMeta
from ferryman.cluster import errors, kinds
from ferryman.cluster.client import Client
from ferryman.render import meta, names

Body = dict[str, Any]


class Kinship(Enum):
    """What an object is to a ModelDeployment."""

    OURS = auto()
    """It is a child, and can be found as one."""
    LOST = auto()
    """It is a child by right, and has lost its owner reference or a label."""
    FORMER = auto()
    """It was made for an earlier ModelDeployment of the same name."""
    FOREIGN = auto()
    """It is somebody else's."""


def of(owner: ObjectMeta, body: Body) -> Kinship:
    """Return what an object is to a ModelDeployment."""
    metadata = body["metadata"]
    named = metadata["name"] == owner.name or names.revision_of_child(owner.name, metadata["name"]) is not None
    controller = _controller(metadata)
    if controller is not None and controller["uid"] == owner.uid:
        return Kinship.LOST if named and not _labelled(owner, metadata) else Kinship.OURS
    if not named:
        return Kinship.FOREIGN  # a copy under another name, with our labels and marks on it
    made_for = (metadata.get("annotations") or {}).get(names.ANNOTATION_OWNER)
    if controller is None:
        # Without an owner it may have been left behind on purpose, or come back from a backup: our marks suffice.
        marked = names.ANNOTATION_APPLIED in (metadata.get("annotations") or {}) and _of_this_name(owner, metadata)
        return Kinship.LOST if marked or made_for == owner.uid else Kinship.FOREIGN
    group = str(controller.get("apiVersion", "")).split("/", 1)[0]
    if (group, controller.get("kind"), controller.get("name")) != (GROUP, KIND, owner.name):
        return Kinship.FOREIGN
    return Kinship.LOST if made_for == owner.uid else Kinship.FORMER


async def claimed(client: Client, owner: ObjectMeta, child: Body) -> Body:
    """Give a lost child its owner and its labels back; return it as it is then.

    Raises Conflict if it is not as it was seen, or if the owner leaves: its children may be meant to stay behind.
    """
    parent = await client.get(kinds.MODEL_DEPLOYMENT, owner.namespace, owner.name)
    if parent["metadata"]["uid"] != owner.uid or parent["metadata"].get("deletionTimestamp"):
        raise errors.Conflict("claim", child["kind"], owner.namespace, child["metadata"]["name"], "its owner leaves")
    rightful = _rightful(owner, child["metadata"]["name"])
    others = [
        each
        for each in child["metadata"].get("ownerReferences") or []
        if not each.get("controller") and each["uid"] != owner.uid
    ]
    change = {
        "resourceVersion": child["metadata"]["resourceVersion"],
        "labels": rightful["labels"],
        "ownerReferences": [*others, *rightful["ownerReferences"]],
    }
    return await client.merge(kinds.of(child), owner.namespace, child["metadata"]["name"], {"metadata": change})


def _controller(metadata: Body) -> Body | None:
    return next((each for each in metadata.get("ownerReferences") or [] if each.get("controller")), None)


def _rightful(owner: ObjectMeta, name: str) -> Body:
    """Return the metadata that a child of this name is made with."""
    return meta.metadata(owner, name, names.revision_of_child(owner.name, name))


def _labelled(owner: ObjectMeta, metadata: Body) -> bool:
    labels = metadata.get("labels") or {}
    return all(labels.get(name) == value for name, value in _rightful(owner, metadata["name"])["labels"].items())


def _of_this_name(owner: ObjectMeta, metadata: Body) -> bool:
    return bool((metadata.get("labels") or {}).get(names.LABEL_DEPLOYMENT) == owner.name)
