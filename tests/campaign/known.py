"""What a run without faults is like: learned twice for each workload, to know what differs by itself."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from campaign import ending, traffic
from campaign.past import Version
from campaign.stage import NAME
from campaign.tape import Event, Exchange
from campaign.world import Run
from ferryman.cluster import kinds, sweep

MADE_BY_US = (*kinds.CHILDREN, *kinds.MESH_CHILDREN)


@dataclass(frozen=True)
class Known:
    """One workload without faults."""

    end: ending.Flat
    mask: frozenset[str]
    """Where the two runs ended differently."""
    requests: list[Exchange]
    events: list[Event]
    routes: tuple[tuple[traffic.Split, ...], ...]
    """The splits that the route went through, in order, in each of the two runs."""
    watched: frozenset[str]
    """The kinds whose watches live in the end: all that the operator has to hear of."""
    settles: float
    """Seconds from the user's last act until nothing changed any more."""
    stables: list[str]
    """The revisions that were stable, in order."""
    made: Counter[str]
    """How many incarnations of each child there were."""
    pods: Counter[str]
    """How many pods of each revision there were."""
    templates: Counter[str]
    """How many pod templates each Deployment went through."""

    @property
    def writes(self) -> list[Exchange]:
        """Return the writes that changed something; the Lease's do not count."""
        return [each for each in self.requests if each.effective and each.resource != "leases"]


WATCHED = frozenset(kind.plural for kind in (kinds.MODEL_DEPLOYMENT, *sweep.watched(mesh=True)))

MAY_DIFFER = re.compile(r"/annotations/ferryman\.dev/(applied|decided)$")
"""Where two runs of a workload may end differently, for what is masked is not judged: digests of whole objects."""


def learn(first: Run, second: Run) -> Known:
    """Return what two runs of a workload without faults have in common."""
    for run in (first, second):
        if run.stuck:
            raise RuntimeError(
                f"{run.plan.workload} does not even end without faults: {run.stuck}\n{run.log[-3000:]}"
            )
    assert second.tape is not None
    for run in (first, second):
        if deaf := sorted(WATCHED - run.watched):
            raise RuntimeError(f"{run.plan.workload} without faults ends with no watch of {', '.join(deaf)}")
    mask = frozenset(ending.differences(first.end, second.end, ()))
    if strange := sorted(path for path in mask if not MAY_DIFFER.search(path)):
        told = [f"{path}: {first.end.get(path)!r} and {second.end.get(path)!r}" for path in strange]
        raise RuntimeError(f"two runs of {first.plan.workload} without faults differ: {'; '.join(told)}")
    return Known(
        end=second.end,
        mask=mask,
        requests=list(second.tape.exchanges),
        events=list(second.tape.events),
        routes=tuple(tuple(traffic.routes(run.versions, NAME)) for run in (first, second)),
        watched=WATCHED,
        settles=max(first.settled_after, second.settled_after),
        stables=stables(second.versions),
        made=made(first.versions) | made(second.versions),
        pods=pods(first.versions) | pods(second.versions),
        templates=templates(first.versions) | templates(second.versions),
    )


def stables(versions: list[Version]) -> list[str]:
    """Return the revisions that status called stable, without repeats in a row."""
    seen: list[str] = []
    for version in versions:
        if version.kind == kinds.MODEL_DEPLOYMENT and version.body is not None:
            stable = (version.body.get("status") or {}).get("stable")
            if stable and (not seen or seen[-1] != stable["revision"]):
                seen.append(stable["revision"])
    return seen


def made(versions: list[Version]) -> Counter[str]:
    """Return how many incarnations each child had."""
    uids = {
        (f"{version.kind.name} {version.name}", version.body["metadata"]["uid"])
        for version in versions
        if version.kind in MADE_BY_US and version.body is not None
    }
    return Counter(name for name, _ in uids)


def pods(versions: list[Version]) -> Counter[str]:
    """Return how many pods each revision had."""
    uids = {
        (
            (version.body["metadata"].get("labels") or {}).get("ferryman.dev/revision", "?"),
            version.body["metadata"]["uid"],
        )
        for version in versions
        if version.kind == kinds.POD and version.body is not None
    }
    return Counter(revision for revision, _ in uids)


def templates(versions: list[Version]) -> Counter[str]:
    """Return how many pod templates each Deployment went through: more than one would have restarted its pods."""
    seen = {
        (version.name, repr(version.body["spec"]["template"]))
        for version in versions
        if version.kind == kinds.DEPLOYMENT and version.body is not None
    }
    return Counter(name for name, _ in seen)
