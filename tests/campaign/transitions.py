"""Oracle I9: no share and no stable revision that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from campaign import traffic
from campaign.known import Known, stables
from campaign.stage import NAME
from campaign.world import Run


def i9_no_unrequested_transition(run: Run, known: Known) -> list[str]:
    if run.plan.chaos is not None:  # others edit the route, and take the candidate's pods
        return [] if stables(run.versions)[-1:] == known.stables[-1:] else [f"stable was {stables(run.versions)}"]
    gone = traffic.routes(run.versions, NAME)
    found = []
    if not any(in_order(gone, usual) for usual in known.routes):
        ways = " or ".join(way(usual) for usual in known.routes)
        found.append(f"the route went {way(gone)}, and goes {ways} without faults")
    if not run.stuck and stables(run.versions) != known.stables:
        found.append(f"stable was {stables(run.versions)}, not {known.stables}")
    return found


def in_order(found: Sequence[traffic.Split], usual: Sequence[traffic.Split]) -> bool:
    """Tell whether a way leaves out something at most, but takes no step that is new, or back."""
    steps = iter(usual)
    return all(step in steps for step in found)


def way(splits: Iterable[traffic.Split]) -> str:
    return ", ".join(str(dict(split)) for split in splits)
