"""Whose an object is that has a child's name or label."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.cluster import drift, kinship
from ferryman.cluster.kinship import Kinship
from ferryman.render import meta, names

OWNER = ObjectMeta(name="fraud", namespace="default", uid="u2", generation=1, resource_version="9")
FORMER_OWNER = OWNER.model_copy(update={"uid": "u1"})
REVISION = "fraud-0b1c7a52"

Body = dict[str, Any]
Change = Callable[[Body], object]


def child(name: str = REVISION, owner: ObjectMeta = OWNER) -> Body:
    """Return a child as it lives after it was applied."""
    body = {"kind": "Service", "metadata": meta.metadata(owner, name, names.revision_of_child(owner.name, name))}
    body["metadata"]["annotations"] = drift.marks(body)
    return body


def changed(body: Body, change: Change) -> Body:
    body = copy.deepcopy(body)
    change(body["metadata"])
    return body


def unlabelled(name: str) -> Change:
    return lambda metadata: metadata["labels"].pop(name)


def unowned(metadata: Body) -> None:
    del metadata["ownerReferences"]


def owned_by(**fields: Any) -> Change:
    return lambda metadata: metadata["ownerReferences"][0].update(fields)


def stripped(metadata: Body) -> None:
    metadata["labels"] = {}
    unowned(metadata)


def copied(metadata: Body) -> None:
    metadata["name"] = "a-copy"
    unowned(metadata)


def made_by_hand(metadata: Body) -> None:
    metadata["annotations"] = {}
    unowned(metadata)


CASES: dict[str, tuple[Body, Kinship]] = {
    "a child": (child(), Kinship.OURS),
    "a child of the whole": (child("fraud"), Kinship.OURS),
    "a second address": (child(REVISION + "-canary"), Kinship.OURS),
    "a child under a name that we do not give": (changed(child(), lambda each: each.update(name="x")), Kinship.OURS),
    "without its ModelDeployment's label": (changed(child(), unlabelled(names.LABEL_DEPLOYMENT)), Kinship.LOST),
    "without its revision's label": (changed(child(), unlabelled(names.LABEL_REVISION)), Kinship.LOST),
    "with another revision's label": (
        changed(child(), lambda each: each["labels"].update({names.LABEL_REVISION: "fraud-00000000"})),
        Kinship.LOST,
    ),
    "without an owner": (changed(child(), unowned), Kinship.LOST),
    "with an owner that controls it no more": (changed(child(), owned_by(controller=False)), Kinship.LOST),
    "without an owner and without labels": (changed(child(), stripped), Kinship.LOST),
    "with a wrong uid in its owner reference": (changed(child(), owned_by(uid="u3")), Kinship.LOST),
    "left behind by an earlier one": (changed(child(owner=FORMER_OWNER), unowned), Kinship.LOST),
    "an earlier one's": (child(owner=FORMER_OWNER), Kinship.FORMER),
    "an earlier one's, without marks": (
        changed(child(owner=FORMER_OWNER), lambda each: each.update(annotations={})),
        Kinship.FORMER,
    ),
    "another ModelDeployment's": (changed(child(), owned_by(name="churn", uid="u3")), Kinship.FOREIGN),
    "another controller's": (
        changed(child(), owned_by(kind="Rollout", apiVersion="a/v1", uid="u3")),
        Kinship.FOREIGN,
    ),
    "a copy under another name": (changed(child(), copied), Kinship.FOREIGN),
    "made by hand with our label": (changed(child(), made_by_hand), Kinship.FOREIGN),
    "left behind by an earlier one, without labels": (changed(child(owner=FORMER_OWNER), stripped), Kinship.FOREIGN),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES.keys())
def test_whose_it_is(body: Body, expected: Kinship) -> None:
    assert kinship.of(OWNER, body) is expected
