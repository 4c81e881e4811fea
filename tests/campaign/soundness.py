"""Whether an operator lived as a sound one does, by its log and by how its processes ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

from campaign import faults

READS = frozenset({None, "get", "list", "watch", "discover"})


def may_end_itself(plan: faults.Plan) -> bool:
    """Tell whether an operator may end with 70 and begin anew: if it was made deaf, or its Lease was kept from it."""
    if plan.chaos is not None:
        return plan.chaos.startswith("RBACRevoke")
    return any(_deafens(fault) for fault in plan.faults)


def _deafens(fault: faults.Fault) -> bool:
    if isinstance(fault, (faults.Break, faults.Stop, faults.Hide)):
        return True
    refuses = isinstance(fault, (faults.Answer, faults.Lose, faults.Hold))
    return refuses and (fault.on.verb in READS or fault.on.resource in {None, "leases"})


TRACEBACK = "Traceback (most recent call last):"
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT")
"""How a line of the log begins; a traceback after any other line belongs to the one before."""


def sound(log: str, restarts: Sequence[int]) -> bool:
    """Whether an operator has no traceback in its log but those that it may have.

    One may tell what ended the operator. Any other has to be of kopf's client, which met a refusal, and the operator
    to have begun anew after the last, or to have ended.
    """
    first, *tracebacks = log.split(TRACEBACK)
    before, excused = first, True
    for traceback in tracebacks:
        line = before.rstrip().rpartition("\n")[2]
        if LOGGED.match(line):
            excused = line.endswith("anew") or "/kopf/_cogs/clients/" in traceback
        if not excused:
            return False
        before = traceback
    return not tracebacks or 70 in restarts or "watching namespaces" in tracebacks[-1]
