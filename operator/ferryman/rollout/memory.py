"""What a wiped or outdated status lost, from what the children themselves remember.

The front Service carries a copy of the decisions and selects the stable revision; each Deployment carries its
revision's record. Revisions that nobody remembers having started are sent out the slow way, so that a route that
still names them loses nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.observed import Observed
from ferryman.rollout import record as records
from ferryman.rollout.record import Record

_CLOCKS = ("held_since", "steady_since")
"""Clocks that may start anew: leaving them out saves a write each time that one of them starts."""

_DECISIONS = {
    "phase",
    "stable",
    "candidate",
    "run",
    "challenger",
    "retiring",
    "history",
    "rejected",
    "withdrawn",
    "commands",
    "last_rollout",
}


_WORDS = dict.fromkeys(("tags", "flavors", "inputs", "outputs"), True)
"""What only describes a model. Of many revisions it would be more than annotations may have, which is 256 KiB."""


def written(status: ModelDeploymentStatus) -> str:
    """Return the decisions of a status as JSON, without what changes by itself."""
    of_a_revision: dict[str, Any] = {"ready_replicas": True}
    of_one_that_left: dict[str, Any] = {
        "__all__": {"unrouted_since": True, "revision": {**of_a_revision, "model": _WORDS}},
    }
    fixed = status.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude_defaults=True,
        include=_DECISIONS,
        exclude={
            "stable": of_a_revision,
            "candidate": of_a_revision,
            "challenger": of_a_revision,
            "retiring": of_one_that_left,
            "history": of_one_that_left,
            "run": dict.fromkeys(_CLOCKS, True),
        },
    )
    return json.dumps(fixed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _routed_most(observed: Observed) -> str | None:
    """Return the revision that the route gives most: it is what serves if the front Service is gone."""
    weights = observed.route.weights if observed.route is not None else {}
    return max(weights, key=lambda name: weights[name], default=None)


def restored(record: Record, observed: Observed) -> Record:
    """Rebuild what is missing from a record that has lost its stable revision."""
    if record.stable is None and observed.memory is not None and observed.memory.stable is not None:
        record = records.from_status(observed.memory)
    serves = observed.front or _routed_most(observed)
    if record.stable is None and serves is not None:
        found = observed.backend(serves).record
        if found is not None and (record.candidate is None or record.candidate.revision != found.revision):
            phase = Phase.STARTING if record.phase is Phase.PENDING else record.phase
            phase = phase if record.candidate is not None else Phase.STABLE
            record = replace(record.back(found.revision), stable=found, phase=phase)
    known = {revision.revision for revision in record.revisions()}
    for backend in observed.backends.values():
        if backend.revision not in known and backend.record is not None:
            record = record.leave(backend.record)
    return record
