"""Runs plans in many worlds side by side, judges each at once, and keeps what is needed to replay one that failed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from campaign import generate, oracles
from campaign.faults import Plan
from campaign.ground import Ground
from campaign.known import Known, learn
from campaign.workloads import CHAIN
from campaign.world import Run, World

LEARN = "learn"
"""The class of the runs that nothing befalls."""


@dataclass
class Result:
    """What one plan came to."""

    plan: Plan
    complaints: dict[str, list[str]]
    settled_after: float
    seconds: float
    idle: int
    """Faults that struck nothing: the run differed too much from what was learned."""

    @property
    def kind(self) -> str:
        """The class that its plan is of."""
        return self.plan.name.split("/", 1)[0]

    @property
    def verdict(self) -> str:
        """`passed`, `failed`, or `missed`: not all that was planned befell the run."""
        if self.complaints:
            return "failed"
        return "missed" if self.idle else "passed"


@dataclass
class Campaign:
    """One campaign on one ground."""

    ground: Ground
    worlds: list[World]
    reports: Path
    say: Callable[[str], None]
    known: dict[str, Known] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    lived: Callable[[Result], None] = lambda _: None
    """Who is told of each result at once."""

    async def learn(self, workloads: Iterable[str]) -> None:
        """Run each workload twice without faults, in two worlds."""
        names = [name for name in dict.fromkeys(workloads) if name not in self.known and name != CHAIN]
        wishes = [Plan(name=f"{LEARN}/{name}/{turn}", workload=name) for name in names for turn in (1, 2)]
        runs: dict[str, Run] = {}

        async def keep(world: World, plan: Plan) -> None:
            runs[plan.name] = await world.run(plan, None, frozenset())

        await self._share(wishes, keep, "learning")
        for name in names:
            pair = runs[f"{LEARN}/{name}/1"], runs[f"{LEARN}/{name}/2"]
            self.known[name] = learn(*pair)
            for run in pair:
                self._conclude(run, Result(run.plan, oracles.judge(run, None), run.settled_after, run.seconds, 0))

    def plans(self, kind: str, workload: str) -> list[Plan]:
        """Return the plans of a class for a workload that was learned."""
        return list(generate.CLASSES[kind].maker(workload, self.known.get(workload)))

    async def live(self, plans: Sequence[Plan]) -> None:
        """Live every plan, and judge it."""
        await self._share(plans, self._judge, "plans")

    async def _judge(self, world: World, plan: Plan) -> None:
        known = self.known.get(plan.workload)
        if known is None:
            run = await world.run(plan, None, frozenset())
        else:
            run = await world.run(plan, known.end, oracles.mask(plan, known), known.watched)
        self._conclude(run, Result(plan, oracles.judge(run, known), run.settled_after, run.seconds, len(run.idle)))

    def _conclude(self, run: Run, result: Result) -> None:
        """Note what a run came to, and keep what there is of one that failed."""
        self.results.append(result)
        if result.kind != LEARN:
            self.lived(result)
        if result.complaints:
            self._keep(run, result)
            self.say(f"FAILED {result.plan.name}")
            for name, said in result.complaints.items():
                self.say(f"  {name}: {said[0][:400]}" + (f" (and {len(said) - 1} more)" if len(said) > 1 else ""))

    async def _share(self, plans: Sequence[Plan], work: Callable[[World, Plan], Awaitable[None]], what: str) -> None:
        """Let every world take the next plan until none is left; tell how far it is now and then."""
        left = list(reversed(plans))
        done, begun, told = 0, time.monotonic(), time.monotonic()

        async def toil(world: World) -> None:
            nonlocal done, told
            while left:
                plan = left.pop()
                await work(world, plan)
                done += 1
                now = time.monotonic()
                if now - told > 10 or done == len(plans):
                    told = now
                    rest = (now - begun) / done * (len(plans) - done)
                    failed = sum(1 for result in self.results if result.complaints)
                    self.say(f"{what}: {done} of {len(plans)}, {failed} failed, about {rest / 60:.0f} min left")

        async with asyncio.TaskGroup() as group:
            for world in self.worlds:
                group.create_task(toil(world), name=f"worker of {world.namespace}")

    def _keep(self, run: Run, result: Result) -> None:
        """Write down a plan that failed, with its complaints, the operator's log and the tape."""
        folder = self.reports / result.plan.name.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        plan = result.plan.model_dump(mode="json", exclude_none=True)
        (folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        (folder / "complaints.json").write_text(json.dumps(result.complaints, indent=1))
        (folder / "operator.log").write_text(run.log)
        if run.tape is not None:
            lines = [
                f"{each.number:4} {each.life} {each.at:.3f} {each.verb:6} {each.resource} {each.name} {each.status}"
                f"{' *' if each.effective else ''}{' FAULT ' + each.fault if each.fault else ''}"
                for each in run.tape.exchanges
            ]
            (folder / "tape.txt").write_text("\n".join(lines) + "\n")
        states = [
            f"{each.revision} {each.at:.3f} {each.kind.name} {each.name} {'gone' if each.body is None else ''}"
            for each in run.versions
        ]
        (folder / "states.txt").write_text("\n".join(states) + "\n")


async def opened(ground: Ground, stack: AsyncExitStack, count: int) -> list[World]:
    """Open so many worlds, which the stack closes."""
    worlds = []
    for number in range(1, count + 1):
        world = World(ground, f"world-{number}")
        await world.open()
        stack.push_async_callback(world.close)
        worlds.append(world)
    return worlds
