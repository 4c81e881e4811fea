"""One world: a namespace, an operator behind a fault proxy, and somebody who starts the operator anew when it ends.

`run` lives one plan in it and returns what there is to judge. A world is used again and again: each run ends with the
deletion of its ModelDeployment, of which nothing may be left.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field

from campaign import chaos, ending, faults, workloads
from campaign.asked import WRITES
from campaign.bystander import Bystander
from campaign.chains import Alarm
from campaign.ground import Ground
from campaign.keeper import Keeper, Pace
from campaign.past import LEASE, Version
from campaign.proxy import FaultProxy
from campaign.soundness import sound
from campaign.stage import BYSTANDER, PATIENCE, Stage, is_bystanders
from campaign.tape import Tape
from ferryman.cluster import kinds

RESYNC_SECONDS = 4.0
RESYNCS = 3
"""So many of them may write nothing: oracle I5."""

USUAL = Pace(RESYNC_SECONDS, sweep=10.0)
IN_THE_PAST = Pace(RESYNC_SECONDS / 2, sweep=10.0)
"""Of an operator that travels: three resyncs see the past."""
SWEEPING = Pace(resync=300.0, sweep=1.0)
"""Of an operator whose resync comes too late to heal anything."""

IN_PEACE = Pace(resync=60.0, sweep=60.0)
"""While nothing befalls it: then nothing has to be found by looking, and thousands of plans spare the looks."""

BREATH_SECONDS = 1.5
"""Nothing more comes of itself if nothing came for so long."""

BETWEEN_LOOKS_SECONDS = 0.5
"""The operator has nothing more to look at if it has not for so long; its resyncs come more seldom."""

ANEW_SECONDS = 20.0
"""What an operator may take that lost a watch to a 404: it makes sure for 5 s that the kind has gone, and starts."""

NOT_DEAF_SECONDS = 70.0
"""Until a watch that was lost without a word has to live again: I11 allows a minute, and a busy machine more."""

NEVER_STILL = frozenset({kinds.AUTOSCALER, LEASE})


@dataclass
class Run:
    """What one plan left behind."""

    plan: faults.Plan
    namespace: str = ""
    versions: list[Version] = field(default_factory=list)
    """Every state of the namespace from the moment on from which faults could strike, and the last before it."""
    others: list[Version] = field(default_factory=list)
    """The same of the bystander."""
    tape: Tape | None = None
    end: ending.Flat = field(default_factory=dict)
    restarts: list[int] = field(default_factory=list)
    """The exit code of each operator process that ended."""
    idle: list[faults.Fault] = field(default_factory=list)
    """Faults that struck nothing."""
    stuck: str = ""
    """What the user waited for in vain."""
    settled_after: float = 0.0
    """Seconds from the last thing that happened to it (an act, a fault, a restart) until the end was reached, or,
    but for chains, until the user went on with the next act, whichever took longer."""
    waits: list[float] = field(default_factory=list)
    """Seconds until each edit of the bystander was acted on."""
    restless: list[str] = field(default_factory=list)
    """Writes of the operator after the end was reached."""
    watched: frozenset[str] = frozenset()
    """The kinds whose watches live in the end."""
    leftovers: list[str] = field(default_factory=list)
    log: str = ""
    metrics: str = ""
    seconds: float = 0.0


class World:
    """One namespace and its operator."""

    def __init__(self, ground: Ground, name: str) -> None:
        self._ground = ground
        self.namespace = name
        self.directory = ground.directory / name
        self._last_happening = 0.0
        self._waited = 0.0
        self.stage = Stage(ground.api.heard_by(self._acts), ground.past, name)
        self._bystander = Bystander(Stage(ground.api, ground.past, name, BYSTANDER))

    async def open(self) -> None:
        """Make the namespace, its rights and its proxy."""
        self.directory.mkdir(parents=True)
        identity = await asyncio.to_thread(self._ground.install, self.namespace)
        self.proxy = FaultProxy(identity, self._ground.authority, self.directory, self._ground.past)
        await self.proxy.start()
        log = self.directory / "operator.log"
        self._keeper = Keeper(self._ground.nursery, self.proxy, self.namespace, log, self._happened)

    async def close(self) -> None:
        await self._keeper.stop()
        await self.proxy.stop()

    async def run(
        self,
        plan: faults.Plan,
        wanted: ending.Flat | None,
        mask: frozenset[str],
        watched: frozenset[str] = frozenset(),
    ) -> Run:
        """Live a plan; without a wanted end, live until nothing is written any more."""
        begun = time.monotonic()
        run, workload = Run(plan, self.namespace), workloads.of(plan)
        try:
            await self._prepare(plan, workload)
            run.restarts = self._keeper.restarts
            self.proxy.load(plan, self._ground.past.forget(self.namespace))
            run.tape = self.proxy.tape
            await workload.absent(self.stage)
            await self._keeper.start(pace(plan))
            if any(isinstance(fault.on, faults.Events) for fault in plan.faults):
                await self._listening()
            if plan.chaos is not None:
                await self._calm()  # until the operator has looked, and has nothing to do
            self._bystander.begin()
            self._happened()
            self._waited = 0.0
            try:
                if plan.chaos is not None:
                    await chaos.inject(plan.chaos, self.stage)
                await workload.act(self.stage)
            finally:
                await self._bystander.end()
            if plan.workload == workloads.CHAIN:
                self._waited = 0.0  # its operations take the seconds that they set themselves
            await self._settle(run, wanted, mask)
            await self._begin_anew(run, watched)
            run.end = ending.ending(self._ground.past, self.namespace)
        except (TimeoutError, Alarm) as error:
            run.stuck = str(error) or "a wait of the user"
        finally:
            self._account(run)
            run.metrics = await self._keeper.metrics()
            self.proxy.load(faults.Plan(name="after", workload=plan.workload))
            run.leftovers = await self._clear()
            await self._keeper.stop()
            run.log = self._keeper.said()
            run.seconds = time.monotonic() - begun
        return run

    async def _prepare(self, plan: faults.Plan, workload: workloads.Workload) -> None:
        """Live what is there before, with an operator that nothing befalls; end it."""
        self._keeper.forget()
        self._ground.past.forget(self.namespace)
        self.proxy.load(faults.Plan(name="before", workload=plan.workload))
        await self._keeper.start(IN_PEACE)
        if self._bystander.there != plan.bystander:
            await (self._bystander.come() if plan.bystander else self._bystander.go())
        await workload.before(self.stage)
        await self._calm()
        await self._keeper.stop()
        self._keeper.forget()

    def _account(self, run: Run) -> None:
        """Keep what there is to judge, before anything is taken away."""
        run.idle = self.proxy.unfinished()
        run.watched = self.proxy.watching()
        run.waits = self._bystander.waits
        for version in self._ground.past.versions(self.namespace):
            (run.others if is_bystanders(version.name) else run.versions).append(version)

    # --- how it ends ------------------------------------------------------------------------

    async def _settle(self, run: Run, wanted: ending.Flat | None, mask: frozenset[str]) -> None:
        """Wait until the wanted end stands, then listen for writes over three resyncs."""
        past, loop = self._ground.past, asyncio.get_running_loop()
        if wanted is None:
            await self._calm(2 * RESYNC_SECONDS)
            await self._listen(run)
            run.settled_after = max(self._waited, self._last_change() - self._last_happening)
            return
        deadline = loop.time() + PATIENCE
        while await self._reaches(wanted, mask, deadline):  # if it does not, the oracle tells the difference
            reached = loop.time()
            await self._listen(run)
            run.settled_after = max(self._waited, reached - self._last_blow())
            if not run.restless and not ending.differences(ending.ending(past, self.namespace), wanted, mask):
                return

    async def _reaches(self, wanted: ending.Flat, mask: frozenset[str], deadline: float) -> bool:
        """Wait until the wanted end stands; tell whether it does."""
        past, loop, heard = self._ground.past, asyncio.get_running_loop(), -1
        while loop.time() < deadline:
            if heard != (now := past.heard(self.namespace)):
                heard = now
                if not ending.differences(ending.ending(past, self.namespace), wanted, mask):
                    return True
            await asyncio.sleep(0.1)
        return False

    async def _listen(self, run: Run) -> None:
        """Note what the operator writes over three resyncs."""
        before = len(self.proxy.tape.exchanges)
        await asyncio.sleep(RESYNCS * min(pace(run.plan).resync, RESYNC_SECONDS) + 1.0)
        run.restless = [
            f"{each.verb} {each.resource} {each.name}: {each.status}"
            for each in self.proxy.tape.exchanges[before:]
            if each.verb in WRITES and each.resource != "leases"
        ]

    async def _listening(self) -> None:
        """Wait until the operator would hear of an edit by an event alone: the looks of its beginning are over."""
        loop = asyncio.get_running_loop()

        def listens() -> bool:
            looks = self._asked("get")
            over = bool(looks) and looks[-1] < loop.time() - BETWEEN_LOOKS_SECONDS
            return bool(self._asked("watch")) and (over or self.stage.read() is None)

        await self.stage.until(listens, "the operator listens")

    def _asked(self, verb: str) -> list[float]:
        exchanges = self.proxy.tape.exchanges
        return [each.at for each in exchanges if each.verb == verb and each.resource == "modeldeployments"]

    async def _calm(self, breath: float = BREATH_SECONDS) -> None:
        """Wait until the operator has looked, and nothing has been written for a while."""
        written = -1
        await self.stage.until(lambda: self.stage.read() is None or bool(self._asked("get")), "the operator looks")
        while written != (now := self._writes()):
            written = now
            await asyncio.sleep(breath)

    async def _begin_anew(self, run: Run, watched: frozenset[str]) -> None:
        """Give an operator that was struck last of all the time to start again: the oracle I11 wants to see it."""

        def anew() -> bool:
            return sound(self._keeper.said(), run.restarts)

        with contextlib.suppress(TimeoutError):
            await self.stage.until(anew, "it begins anew", within=ANEW_SECONDS)
            await self.stage.until(
                lambda: watched <= self.proxy.watching(), "every watch lives", within=NOT_DEAF_SECONDS
            )

    def _writes(self) -> int:
        return sum(1 for each in self.proxy.tape.writes() if each.resource != "leases")

    def _last_change(self) -> float:
        versions = self._ground.past.versions(self.namespace)
        return max((each.at for each in versions if each.kind not in NEVER_STILL), default=-math.inf)

    async def _clear(self) -> list[str]:
        """Delete the ModelDeployment, and tell what was left of it after a while."""
        stage = self.stage
        await stage.delete()
        try:
            await stage.until(lambda: not stage.left(), "nothing is left", within=40.0)
        except TimeoutError:
            return stage.left()
        return []

    def _acts(self) -> None:
        """The user goes on: what they did before has come to what they waited for."""
        self._waited = max(self._waited, asyncio.get_running_loop().time() - self._last_blow())
        self._happened()

    def _last_blow(self) -> float:
        """Return when the last thing happened, or the last fault was over."""
        return max(self._last_happening, self.proxy.tape.last_fault())

    def _happened(self) -> None:
        self._last_happening = asyncio.get_running_loop().time()


def pace(plan: faults.Plan) -> Pace:
    """Return how often the operator looks by itself: it finds by one of its two looks what no event told of."""
    if plan.finds_by == "sweep":
        return SWEEPING
    return IN_THE_PAST if any(isinstance(fault, faults.Travel) for fault in plan.faults) else USUAL
