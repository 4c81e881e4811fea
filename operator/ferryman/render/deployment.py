"""One revision's Deployment: an init container that fetches the model, and the server that serves it.

It carries no `replicas`: the revision's autoscaler owns them. It never changes its model: a new model is a new
revision with a Deployment of its own, so promotion and rollback restart nothing.
"""

from __future__ import annotations

import json
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.revision import Revision
from ferryman.render import meta, names, pod
from ferryman.settings import Settings

MIN_READY_SECONDS = 2
"""A pod counts as available this long after it is ready: its address has reached every Envoy by then."""


def deployment(owner: ObjectMeta, revision: Revision, settings: Settings) -> dict[str, Any]:
    """Return the Deployment of one revision."""
    selector = names.selector(owner.name, revision.revision)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta.metadata(
            owner,
            revision.revision,
            revision.revision,
            annotations={names.ANNOTATION_RECORD: _record(revision)},
        ),
        "spec": {
            # no `replicas`: the autoscaler owns them
            "minReadySeconds": MIN_READY_SECONDS,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {
                    "labels": {**selector, names.LABEL_MANAGED_BY: names.MANAGED_BY},
                },
                "spec": pod.spec(owner, revision, settings),
            },
        },
    }


def _record(revision: Revision) -> str:
    """Return what never changes of a revision, as JSON."""
    fixed = revision.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"since", "served", "ready_replicas"}
    )
    return json.dumps(fixed, sort_keys=True, ensure_ascii=False)
