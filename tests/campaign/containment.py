"""Oracle I8: what an operator may write, and to whom it belongs."""

from __future__ import annotations

from typing import Any

from campaign.asked import WRITES
from campaign.world import Run
from ferryman.cluster import kinds
from ferryman.render import names

ALLOWED = frozenset(
    {
        *(
            (verb, kind.plural)
            for verb in ("patch", "update", "delete")
            for kind in (*kinds.CHILDREN, *kinds.MESH_CHILDREN)
        ),
        ("update", "modeldeployments/status"),
        ("patch", "deployments/scale"),
        ("create", "events"),
        ("patch", "events"),
    }
)
"""What the operator may write at all, besides its Lease."""


def i8_containment(run: Run) -> list[str]:
    owners = _owners(run)
    found = []
    for each in run.tape.exchanges if run.tape else ():
        if each.verb not in WRITES or each.resource == "leases":
            continue
        what = f"{each.verb} of {each.resource} {each.namespace}/{each.name}"
        if (each.verb, each.resource) not in ALLOWED:
            found.append(f"{what}, which it has no business with")
        if each.namespace != run.namespace:
            found.append(f"{what}, in somebody else's namespace")
        elif each.effective and "/" not in each.resource and not _ours(each.before or each.after or {}, owners):
            found.append(f"{what}, which is not ours")
    return found


def _owners(run: Run) -> frozenset[str]:
    """Return the identities of all ModelDeployments that there were."""
    return frozenset(
        version.body["metadata"]["uid"]
        for version in (*run.versions, *run.others)
        if version.kind == kinds.MODEL_DEPLOYMENT and version.body is not None
    )


def _ours(body: dict[str, Any], owners: frozenset[str]) -> bool:
    """Tell whether an object is of a ModelDeployment that there was, or of nobody and bears our mark."""
    metadata = body.get("metadata") or {}
    if "regarding" in body:
        return body["regarding"].get("uid") in owners
    theirs = [owner for owner in metadata.get("ownerReferences") or [] if owner.get("controller")]
    if not theirs:
        return names.ANNOTATION_APPLIED in (metadata.get("annotations") or {})
    return any(owner["uid"] in owners for owner in theirs)
