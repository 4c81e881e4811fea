"""What must hold of every run, whatever befell it: the oracles I1 to I12, each a function with its number.

An oracle returns its complaints. It knows the run, and what the same workload is like without faults.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from campaign import ending, traffic
from campaign.faults import Fault, Hold, Plan
from campaign.known import Known, made, pods, stables, templates
from campaign.stage import NAME
from campaign.world import TOKEN, WRITING, Run, sound
from ferryman.cluster import kinds
from ferryman.cluster.client import TIMEOUT
from ferryman.render import names

BOUND_SECONDS = 40.0
"""Until the end is reached after the last fault: the longest back-off, 30 s, and 10 s."""

REMEMBERED = re.compile(r"/run/losses$|/observedGeneration$|/deployment\.kubernetes\.io/revision$")
"""Paths that tell of changes by others: pods that a candidate lost, edits of the spec, and of a pod template."""

MENDED_SECONDS = 10.0
"""How long what others broke may stay broken, on a machine that is busy with ten other worlds."""

LATELY_SECONDS = 5.0
"""How old what a status tells may be at most when it is written: a look is cut off later, but reads first."""


def mask(plan: Plan, known: Known) -> frozenset[str]:
    """Return the paths that do not count: what others did may be remembered, and counted."""
    remembered = (path for path in known.end if plan.chaos is not None and REMEMBERED.search(path))
    return known.mask.union(remembered)


def i1_traffic(run: Run) -> list[str]:
    found = traffic.lost(run.versions, NAME)
    # what others broke has to be mended soon; what the operator does has to be right at every moment
    tolerated = MENDED_SECONDS if run.plan.chaos is not None else 0.0
    return [f"{each.what}, for {each.seconds:.1f} s" for each in found if each.seconds >= tolerated]


def i2_end_state(run: Run, known: Known) -> list[str]:
    if run.stuck:
        return [f"never ended: {run.stuck}"]
    return [
        f"{path}: {found!r} instead of {wanted!r}"
        for path, (found, wanted) in ending.differences(run.end, known.end, mask(run.plan, known)).items()
    ]


def i3_no_churn(run: Run, known: Known) -> list[str]:
    if run.plan.chaos is not None:
        return []  # what others took is made anew
    again = int(any(_comes_late(fault) for fault in run.plan.faults))
    found = []
    for what, of in (("made", made), ("pods of", pods), ("templates of", templates)):
        usual: Counter[str] = {"made": known.made, "pods of": known.pods, "templates of": known.templates}[what]
        for name, count in of(run.versions).items():
            if count > again + max(usual[name], 1 if what == "made" else usual[name]):
                found.append(f"{what} {name}: {count} times, not {usual[name]}")
    return found


def _comes_late(fault: Fault) -> bool:
    """Whether it lets a write arrive for which nobody waits: it may make what was removed, once (decision 10)."""
    return isinstance(fault, Hold) and fault.on.verb == "patch" and fault.least > (TIMEOUT.total or 0)


def i4_bounded(run: Run) -> list[str]:
    return (
        [f"the end came {run.settled_after:.0f} s after the last fault"] if run.settled_after > BOUND_SECONDS else []
    )


def i5_quiet(run: Run) -> list[str]:
    return [f"written after the end: {each}" for each in run.restless]


def i6_honest_status(run: Run) -> list[str]:
    """Look at every status that was ever written: at what it speaks of, and at the route that it tells of."""
    found: list[str] = []
    route: list[tuple[float, traffic.Split]] = []
    told: Any = None
    for version in run.versions:
        if version.kind == kinds.VIRTUAL_SERVICE and version.body is not None:
            route.append((version.at, traffic.split(version.body)))
        if version.kind != kinds.MODEL_DEPLOYMENT or version.body is None:
            continue
        generation, status = version.body["metadata"]["generation"], version.body.get("status") or {}
        if status.get("observedGeneration", 0) > generation:
            found.append(f"observedGeneration {status['observedGeneration']} of generation {generation}")
        mute = [each["type"] for each in status.get("conditions") or [] if not each["reason"] or not each["message"]]
        found.extend(f"condition {name} says nothing" for name in mute)
        if route and status.get("traffic") not in (None, told):
            told = status["traffic"]
            found.extend(_lies(told, route, version.at))
    return found


def _lies(told: dict[str, Any], route: list[tuple[float, traffic.Split]], at: float) -> list[str]:
    """Compare the shares that status tells with those that the route had lately."""
    began = [since for since, _ in route[1:]] + [at + 1.0]
    lately = [split for (_, split), until in zip(route, began, strict=True) if until > at - LATELY_SECONDS]
    # a candidate that another has followed may still have a share, which is neither's
    said = {share for share in (told["stable"], told["candidate"]) if share}
    shares = [{share for name, share in split if not name.startswith("mirror")} for split in lately]
    return [] if any(said <= each for each in shares) else [f"status tells of {said}, and the route of {shares}"]


def i7_no_leftovers(run: Run) -> list[str]:
    return [f"left after the deletion: {each}" for each in run.leftovers]


def i8_containment(run: Run) -> list[str]:
    found = []
    for each in run.tape.exchanges if run.tape else ():
        if each.verb not in WRITING or each.resource in {"events", "leases"}:
            continue
        if each.verb == "create" and each.resource != "events":
            found.append(f"a plain create of {each.resource} {each.name}")
        body = each.before or each.after or {}
        child = not each.resource.startswith("modeldeployments") and "/" not in each.resource
        if each.effective and child and not _ours(body):
            found.append(f"{each.verb} of {each.resource} {each.name}, which is not ours")
        if each.resource.startswith("modeldeployments") and each.resource != "modeldeployments/status":
            found.append(f"{each.verb} of {each.resource}: the spec is the user's")
    return found


def _ours(body: dict[str, Any]) -> bool:
    """Tell whether an object belongs to a ModelDeployment, or to nobody and bears our mark."""
    metadata = body.get("metadata") or {}
    owners = metadata.get("ownerReferences") or []
    if not owners:
        return names.ANNOTATION_APPLIED in (metadata.get("annotations") or {})
    return any(owner.get("kind") == kinds.MODEL_DEPLOYMENT.name for owner in owners)


def i9_no_unrequested_transition(run: Run, known: Known) -> list[str]:
    if run.plan.chaos is not None:  # others edit the route, and take the candidate's pods
        return [] if stables(run.versions)[-1:] == known.stables[-1:] else [f"stable was {stables(run.versions)}"]
    strange = [split for split in traffic.routes(run.versions, NAME) if split not in known.routes]
    found = [f"the route said {dict(split)}, which it never does without faults" for split in strange]
    if not run.stuck and stables(run.versions) != known.stables:
        found.append(f"stable was {stables(run.versions)}, not {known.stables}")
    return found


def i11_alive(run: Run) -> list[str]:
    strange = [code for code in run.restarts if code not in {-9, 70}]
    found = [f"the operator ended with {strange}"] if strange else []
    if not sound(run.log, run.restarts):
        found.append("the log has a traceback: " + run.log[run.log.index("Traceback") :][:1500])
    return found


def i12_no_secrets(run: Run) -> list[str]:
    said = [each for each in (run.tape.exchanges if run.tape else ()) if TOKEN in json.dumps(each.after, default=str)]
    found = [f"the planted token stands in {each.resource} {each.name}" for each in said]
    return [*found, "the planted token stands in the log"] if TOKEN in run.log else found


OF_ANY_RUN = (
    i1_traffic,
    i4_bounded,
    i5_quiet,
    i6_honest_status,
    i7_no_leftovers,
    i8_containment,
    i11_alive,
    i12_no_secrets,
)
OF_A_KNOWN_RUN = (i2_end_state, i3_no_churn, i9_no_unrequested_transition)


def judge(run: Run, known: Known | None) -> dict[str, list[str]]:
    """Return each oracle's complaints, of those that have any; a chain, which nobody knows beforehand, has fewer."""
    said = {oracle.__name__: oracle(run) for oracle in OF_ANY_RUN}
    if known is None:
        said["chain"] = [run.stuck] if run.stuck else []
    else:
        said |= {oracle.__name__: oracle(run, known) for oracle in OF_A_KNOWN_RUN}
    return {name: complaints for name, complaints in said.items() if complaints}
