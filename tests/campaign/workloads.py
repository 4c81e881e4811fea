"""The days that are lived under faults: what is there before, and what a user then does until it rests.

Faults strike in the second part only. Every part ends by waiting, so that a plan that is not recovered from fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from campaign import chains
from campaign.faults import Plan
from campaign.stage import Stage

V1, V2, V3, V4 = (f"s3://models/v{number}" for number in (1, 2, 3, 4))
SCALING = {"minReplicas": 2, "maxReplicas": 4}

Act = Callable[[Stage], Awaitable[None]]


async def nothing(_: Stage) -> None:
    """Begin in an empty namespace."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One day."""

    before: Act
    act: Act
    absent: Act = nothing
    """What the user does while no operator runs, between the two."""


async def create(stage: Stage) -> None:
    await stage.apply(V1, scaling=SCALING, rollout={"canary": {"trafficPercent": 10}})
    await stage.rests("Stable", "100/0", stable=V1)


async def rest_at_fifty(stage: Stage) -> None:
    """Do nothing: it is for others to disturb this."""
    await stage.rests("Canary", "50/50", stable=V1, candidate=V2)


async def scale(stage: Stage) -> None:
    await stage.patch(scaling={"minReplicas": 3, "maxReplicas": 6})
    await stage.until(lambda: stage.status().get("stable", {}).get("readyReplicas") == 3, "three pods")
    await stage.rests("Stable", "100/0", stable=V1)


async def canary(stage: Stage) -> None:
    await stage.apply(V2, scaling=SCALING, rollout={"canary": {"trafficPercent": 10}})
    await stage.rests("Canary", "90/10", stable=V1, candidate=V2)
    await stage.canary(50)
    await stage.rests("Canary", "50/50", stable=V1, candidate=V2)


async def at_fifty(stage: Stage) -> None:
    await create(stage)
    await canary(stage)


async def promote(stage: Stage) -> None:
    await stage.canary(100)
    await stage.rests("Stable", "100/0", stable=V2)


async def withdraw(stage: Stage) -> None:
    await stage.canary(0)
    await stage.rests("Stable", "100/0", stable=V1)


async def abort(stage: Stage) -> None:
    await stage.tell("abort", stage.revision("candidate"))
    await stage.rests("Stable", "100/0", stable=V1)


async def promoted(stage: Stage) -> None:
    await at_fifty(stage)
    await promote(stage)


async def promoted_warm(stage: Stage) -> None:
    await at_fifty(stage)
    await stage.patch(rollout={"standbySeconds": 600})
    await promote(stage)


async def come_back(stage: Stage) -> None:
    await stage.tell("rollback", "previous")
    await stage.rests("Stable", "100/0", stable=V1)


async def shadow(stage: Stage) -> None:
    await stage.apply(V2, scaling=SCALING, rollout={"shadow": {"percent": 100}})
    await stage.rests("Shadowing", "100/0", stable=V1, candidate=V2)
    await stage.tell("abort", stage.revision("candidate"))
    await stage.rests("Stable", "100/0", stable=V1)


async def third(stage: Stage) -> None:
    await stage.apply(V3, scaling=SCALING, rollout={"canary": {"trafficPercent": 10}})
    await stage.rests("Canary", "90/10", stable=V1, candidate=V3)


async def steps(stage: Stage) -> None:
    plan = [{"trafficPercent": 10, "pause": {"duration": "2s"}}, {"trafficPercent": 50}, {"trafficPercent": 100}]
    await stage.apply(V2, scaling=SCALING, rollout={"canary": {"steps": plan}})
    await stage.rests("Stable", "100/0", stable=V2)


async def delete(stage: Stage) -> None:
    await stage.delete()
    await stage.gone()


async def recreate(stage: Stage) -> None:
    """The same name, at once: what belongs to the first must never be mixed with the second's."""
    await stage.delete()
    await stage.until(lambda: stage.read() is None, "the first is gone")
    await stage.apply(V3, scaling=SCALING)
    await stage.rests("Stable", "100/0", stable=V3)


async def fourth(stage: Stage) -> None:
    """Two further models, one right after the other, while the second has half of the traffic."""
    await stage.apply(V3, scaling=SCALING, rollout={"canary": {"trafficPercent": 10}})
    await stage.apply(V4, scaling=SCALING, rollout={"canary": {"trafficPercent": 10}})
    await stage.rests("Canary", "90/10", stable=V1, candidate=V4)


async def edited_unseen(stage: Stage) -> None:
    """A whole rollout of edits, of which only the last counts."""
    for percent in (10, 50, 20):
        await stage.apply(V2, scaling=SCALING, rollout={"canary": {"trafficPercent": percent}})


async def twenty(stage: Stage) -> None:
    await stage.rests("Canary", "80/20", stable=V1, candidate=V2)


async def replaced_unseen(stage: Stage) -> None:
    """The first goes, and another of its name comes."""
    await stage.delete()
    await stage.until(lambda: stage.read() is None, "the first is gone")
    await stage.apply(V3, scaling=SCALING)


async def third_is_stable(stage: Stage) -> None:
    await stage.rests("Stable", "100/0", stable=V3)


WORKLOADS: dict[str, Workload] = {
    "create": Workload(nothing, create),
    "scale": Workload(create, scale),
    "canary": Workload(create, canary),
    "rest": Workload(at_fifty, rest_at_fifty),
    "promote": Workload(at_fifty, promote),
    "withdraw": Workload(at_fifty, withdraw),
    "abort": Workload(at_fifty, abort),
    "return-warm": Workload(promoted_warm, come_back),
    "return-cold": Workload(promoted, come_back),
    "shadow": Workload(create, shadow),
    "third": Workload(at_fifty, third),
    "steps": Workload(create, steps),
    "delete": Workload(at_fifty, delete),
    "recreate": Workload(at_fifty, recreate),
    "fourth": Workload(at_fifty, fourth),
    "absent": Workload(create, twenty, absent=edited_unseen),
    "absent-recreate": Workload(at_fifty, third_is_stable, absent=replaced_unseen),
}

CHAIN = "chain"
"""The workload of which there is a different one for each seed."""


def of(plan: Plan) -> Workload:
    """Return the day that a plan is lived on."""
    return (
        Workload(nothing, partial(chains.live, seed=plan.seed))
        if plan.workload == CHAIN
        else WORKLOADS[plan.workload]
    )
