"""What must hold of every run, whatever befell it: the oracles I1 to I12, each a function with its number.

An oracle returns its complaints. It knows the run, and what the same workload is like without faults.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from campaign import ending, traffic
from campaign.containment import i8_containment
from campaign.faults import Answer, Break, Fault, Hold, Lose, Plan, Travel
from campaign.keeper import TOKEN
from campaign.known import Known, made, pods, templates
from campaign.soundness import may_end_itself, sound
from campaign.stage import BYSTANDER, NAME
from campaign.transitions import i9_no_unrequested_transition, way
from campaign.world import Run
from ferryman.cluster import kinds
from ferryman.cluster.client import TIMEOUT
from ferryman.rollout import stability

BOUND_SECONDS = 30.0
"""Until the end is reached, beyond what it takes without faults, after the last thing that happened.

The oracle says 10 s, of an operator that has a core to itself; here twenty share two.
"""

BACKOFF_SECONDS = 40.0
"""The same after errors of the API: the longest back-off, 30 s, and 10 s."""

TAKES_PODS = frozenset(
    {
        *("PodKill", "ResourceDeletion", "DeploymentScaleZero", "ConfigDrift", "FinalizerBlock", "QuotaExhaustion"),
        *("LabelStomping", "OwnerRefFalse"),
    }
)
"""The types of chaos that take away what requests need: that is not the operator's doing, but its to mend."""

KILLS = frozenset(f"kill {position}" for position in ("before", "committed", "answered"))

REMEMBERED = re.compile(
    r"/run/losses$|/annotations/ferryman\.dev/memory$|/observedGeneration$|/deployment\.kubernetes\.io/revision$"
)
"""Paths that tell of changes by others: pods that a candidate lost, edits of the spec, and of a pod template."""

MENDED_SECONDS = 10.0
"""How long what others broke may stay broken, on a machine that is busy with ten other worlds."""

LATELY_SECONDS = 5.0
"""How old what a status tells may be at most when it is written: a look is cut off later, but reads first."""


def mask(plan: Plan, known: Known) -> frozenset[str]:
    """Return the paths that do not count: what others did may be remembered, and counted."""
    remembered = (path for path in known.end if plan.chaos is not None and REMEMBERED.search(path))
    return known.mask.union(remembered)


def takes_pods(plan: Plan) -> bool:
    """Tell whether others take away what requests need."""
    return plan.chaos is not None and plan.chaos.split("/", 1)[0] in TAKES_PODS


def i1_traffic(run: Run) -> list[str]:
    found = traffic.lost(run.versions, NAME)
    # what others broke has to be mended soon; what the operator does has to be right at every moment
    tolerated = MENDED_SECONDS if takes_pods(run.plan) else 0.0
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


def i4_bounded(run: Run, known: Known) -> list[str]:
    bound = known.settles + (BACKOFF_SECONDS if _errs(run.plan) else BOUND_SECONDS)
    if takes_pods(run.plan):
        bound += stability.CALM[1].total_seconds()  # a candidate that lost all its pods has to be steady first
    return (
        [f"the end came {run.settled_after:.0f} s after the last thing that happened, and may take {bound:.0f} s"]
        if run.settled_after > bound
        else []
    )


def _errs(plan: Plan) -> bool:
    """Tell whether the operator meets refusals, which it may wait out."""
    refused = plan.chaos is not None and plan.chaos.startswith(("RBACRevoke", "QuotaExhaustion"))
    return refused or any(isinstance(fault, (Answer, Lose, Hold, Travel, Break)) for fault in plan.faults)


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


def i10_isolation(run: Run) -> list[str]:
    if not run.plan.bystander:
        return []
    bound = BACKOFF_SECONDS if _errs(run.plan) else BOUND_SECONDS
    found = [f"the bystander waited {wait:.0f} s" for wait in run.waits if wait > bound]
    found += [f"the bystander: {each.what}, for {each.seconds:.1f} s" for each in traffic.lost(run.others, BYSTANDER)]
    if len(ways := traffic.routes(run.others, BYSTANDER)) > 1:
        found.append(f"the bystander's route went {way(ways)}")
    return [*found, *([] if run.waits or run.stuck else ["nobody used the bystander"])]


def i11_alive(run: Run) -> list[str]:
    allowed = {-9, 70} if may_end_itself(run.plan) else {-9}
    strange = [code for code in run.restarts if code not in allowed]
    found = [f"the operator ended with {strange}"] if strange else []
    if (ended := run.restarts.count(-9)) > (killed := _kills(run)):
        found.append(f"the operator was killed {ended} times, {killed} of them by us")
    if not sound(run.log, run.restarts):
        found.append("the log has a traceback: " + run.log[run.log.index("Traceback") :][:1500])
    return found


def _kills(run: Run) -> int:
    said = [each.fault or "" for each in (run.tape.exchanges if run.tape else ())]
    return sum(1 for words in said if any(part in {*KILLS, "travel"} for part in words.split(", ")))


def i11_not_deaf(run: Run, known: Known) -> list[str]:
    deaf = [] if run.stuck else sorted(known.watched - run.watched)
    return [f"no watch of {resource} lives in the end" for resource in deaf]


def i12_no_secrets(run: Run) -> list[str]:
    said = [each for each in (run.tape.exchanges if run.tape else ()) if TOKEN in json.dumps(each.after, default=str)]
    found = [f"the planted token stands in {each.resource} {each.name}" for each in said]
    places = {"the log": run.log, "the metrics": run.metrics}
    return [*found, *(f"the planted token stands in {place}" for place, text in places.items() if TOKEN in text)]


OF_ANY_RUN = (
    i1_traffic,
    i5_quiet,
    i6_honest_status,
    i7_no_leftovers,
    i8_containment,
    i10_isolation,
    i11_alive,
    i12_no_secrets,
)
OF_A_KNOWN_RUN = (i2_end_state, i3_no_churn, i4_bounded, i9_no_unrequested_transition, i11_not_deaf)


def judge(run: Run, known: Known | None) -> dict[str, list[str]]:
    """Return each oracle's complaints, of those that have any; a chain, which nobody knows beforehand, has fewer."""
    said = {oracle.__name__: oracle(run) for oracle in OF_ANY_RUN}
    if known is None:
        said["chain"] = [run.stuck] if run.stuck else []
    else:
        said |= {oracle.__name__: oracle(run, known) for oracle in OF_A_KNOWN_RUN}
    return {name: complaints for name, complaints in said.items() if complaints}
