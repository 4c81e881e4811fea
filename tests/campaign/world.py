"""One world: a namespace, an operator behind a fault proxy, and somebody who starts the operator anew when it ends.

`run` lives one plan in it and returns what there is to judge. A world is used again and again: each run ends with the
deletion of its ModelDeployment, of which nothing may be left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from campaign import chaos, ending, faults, workloads
from campaign.chains import Alarm
from campaign.ground import Ground
from campaign.past import Version
from campaign.proxy import FaultProxy
from campaign.stage import PATIENCE, Stage
from campaign.tape import Tape
from localcluster import controlplane

RESYNC_SECONDS = 2.0
QUIET_SECONDS = 3 * RESYNC_SECONDS + 1.0
"""Three resyncs: oracle I5."""

WRITING = frozenset({"create", "patch", "update", "delete"})

RESTART_SECONDS = 0.1
"""What a kubelet needs, at its best, to start a container again."""

BETWEEN_LOOKS_SECONDS = 0.5
"""The operator has nothing more to look at if it has not for so long; its resyncs come more seldom."""

ANEW_SECONDS = 20.0
"""What an operator may take that lost a watch to a 404: it makes sure for 5 s that the kind has gone, and starts."""

TOKEN = "planted-7c1d9e04"
CLOSED_PORT = "http://127.0.0.1:9"


@dataclass
class Run:
    """What one plan left behind."""

    plan: faults.Plan
    versions: list[Version] = field(default_factory=list)
    """Every state of the namespace from the moment on from which faults could strike, and the last before it."""
    tape: Tape | None = None
    end: ending.Flat = field(default_factory=dict)
    restarts: list[int] = field(default_factory=list)
    """The exit code of each operator process that ended."""
    idle: list[faults.Fault] = field(default_factory=list)
    """Faults that struck nothing."""
    stuck: str = ""
    """What the user waited for in vain."""
    settled_after: float = 0.0
    """Seconds from the last thing that happened to it (an act, a fault, a restart) until the end was reached."""
    restless: list[str] = field(default_factory=list)
    """Writes of the operator after the end was reached."""
    leftovers: list[str] = field(default_factory=list)
    log: str = ""
    seconds: float = 0.0


class World:
    """One namespace and its operator."""

    def __init__(self, ground: Ground, name: str) -> None:
        self._ground = ground
        self.namespace = name
        self.directory = ground.directory / name
        self._pid = 0
        self._restarts: list[int] = []
        self._last_happening = 0.0
        self._keeper: asyncio.Task[None] | None = None
        self.stage = Stage(ground.api, ground.past, name)

    async def open(self) -> None:
        """Make the namespace, its rights and its proxy."""
        self.directory.mkdir(parents=True)
        identity = await asyncio.to_thread(self._ground.install, self.namespace)
        self.proxy = FaultProxy(identity, self._ground.authority, self.directory, self._ground.past)
        await self.proxy.start()

    async def close(self) -> None:
        await self._stop_operator()
        await self.proxy.stop()

    async def run(self, plan: faults.Plan, wanted: ending.Flat | None, mask: frozenset[str]) -> Run:
        """Live a plan; without a wanted end, live until nothing is written any more."""
        begun = time.monotonic()
        workload = workloads.of(plan)
        run = Run(plan)
        self._restarts = run.restarts
        self._log().unlink(missing_ok=True)
        self._ground.past.forget(self.namespace)
        self.proxy.load(faults.Plan(name="before", workload=plan.workload))
        try:
            await self._start_operator()
            await workload.before(self.stage)
            await self._calm()
            await self._stop_operator()
            self.proxy.load(plan, self._ground.past.forget(self.namespace))
            await self._start_operator()
            self._happened()
            run.tape = self.proxy.tape
            if not any(isinstance(fault.on, faults.Requests) for fault in plan.faults):
                await self._listening()
            if plan.chaos is not None:
                await self._calm()  # until the operator has looked, and has nothing to do
                await chaos.inject(plan.chaos, self.stage)
                self._happened()
            await workload.act(self.stage)
            self._happened()
            await self._settle(run, wanted, mask)
            await self._begin_anew(run)
            run.idle = self.proxy.unfinished()
            self.proxy.load(faults.Plan(name="after", workload=plan.workload))
            run.versions = list(self._ground.past.versions(self.namespace))
            run.end = ending.ending(self._ground.past, self.namespace)
        except (TimeoutError, Alarm) as error:
            run.stuck = str(error) or "a wait of the user"
            run.idle = self.proxy.unfinished()
            run.versions = list(self._ground.past.versions(self.namespace))
            self.proxy.load(faults.Plan(name="after", workload=plan.workload))
        finally:
            run.leftovers = await self._clear()
            await self._stop_operator()
            run.log = self._said()
            run.seconds = time.monotonic() - begun
        return run

    # --- how it ends ------------------------------------------------------------------------

    async def _settle(self, run: Run, wanted: ending.Flat | None, mask: frozenset[str]) -> None:
        """Wait until the wanted end stands, then listen for writes over three resyncs."""
        past, loop = self._ground.past, asyncio.get_running_loop()
        if wanted is None:
            await self._calm()
            return
        deadline = loop.time() + PATIENCE
        while loop.time() < deadline:
            while ending.differences(ending.ending(past, self.namespace), wanted, mask):
                if loop.time() > deadline:
                    return  # the oracle tells the difference
                await asyncio.sleep(0.1)
            reached = loop.time()
            run.restless = []
            before = len(self.proxy.tape.exchanges)
            await asyncio.sleep(QUIET_SECONDS)
            run.restless = [
                f"{each.verb} {each.resource} {each.name}: {each.status}"
                for each in self.proxy.tape.exchanges[before:]
                if each.verb in WRITING and each.resource not in {"leases", "events"}
            ]
            run.settled_after = max(0.0, reached - max(self._last_happening, self._last_strike()))
            if not run.restless and not ending.differences(ending.ending(past, self.namespace), wanted, mask):
                return

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

    async def _calm(self) -> None:
        """Wait until the operator has looked, and nothing has been written for a while."""
        quiet = 2 * RESYNC_SECONDS
        written = -1
        await self.stage.until(lambda: self.stage.read() is None or self._looked(), "the operator looks")
        while written != (now := self._writes()):
            written = now
            await asyncio.sleep(quiet)

    async def _begin_anew(self, run: Run) -> None:
        """Give an operator that was struck last of all the time to start again: the oracle I11 wants to see it."""
        with contextlib.suppress(TimeoutError):
            await self.stage.until(lambda: sound(self._said(), run.restarts), "it begins anew", within=ANEW_SECONDS)

    def _looked(self) -> bool:
        return bool(self._asked("get"))

    def _writes(self) -> int:
        return sum(1 for each in self.proxy.tape.writes() if each.resource not in {"leases", "events"})

    def _last_strike(self) -> float:
        return max((each.at for each in self.proxy.tape.exchanges if each.fault), default=0.0)

    async def _clear(self) -> list[str]:
        """Delete the ModelDeployment, and tell what was left of it after a while."""
        stage = self.stage
        await stage.delete()
        try:
            await stage.until(lambda: not stage.left(), "nothing is left", within=40.0)
        except TimeoutError:
            return stage.left()
        return []

    # --- the operator -----------------------------------------------------------------------

    async def _start_operator(self) -> None:
        metrics, health = controlplane.free_ports(2)
        environment = {
            "KUBECONFIG": str(self.proxy.kubeconfig),
            "FERRYMAN_NAMESPACES": self.namespace,
            "FERRYMAN_METRICS_PORT": str(metrics),
            "FERRYMAN_LIVENESS_PORT": str(health),
            "FERRYMAN_DRAIN_SECONDS": "1",
            "FERRYMAN_RESYNC_SECONDS": str(RESYNC_SECONDS),
            "FERRYMAN_SWEEP_SECONDS": "1",
            "FERRYMAN_TRACKING_URI": CLOSED_PORT,
            "MLFLOW_TRACKING_TOKEN": TOKEN,
        }
        self._pid = await self._ground.nursery.start(environment, self._log())
        self.proxy.born(self._pid)
        self._keeper = asyncio.create_task(self._keep(environment), name=f"keeper of {self.namespace}")

    async def _keep(self, environment: dict[str, str]) -> None:
        """Start the operator anew whenever it ends, as a kubelet would."""
        while True:
            self._restarts.append(await asyncio.shield(self._ground.nursery.ended(self._pid)))
            await asyncio.sleep(RESTART_SECONDS)
            self._pid = await self._ground.nursery.start(environment, self._log())
            self.proxy.born(self._pid)
            self._happened()

    async def _stop_operator(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await asyncio.shield(self._ground.nursery.ended(self._pid))
            self._pid = 0

    def _happened(self) -> None:
        self._last_happening = asyncio.get_running_loop().time()

    def _log(self) -> Path:
        return self.directory / "operator.log"

    def _said(self) -> str:
        try:
            return self._log().read_text(errors="replace")
        except FileNotFoundError:
            return ""


def sound(log: str, restarts: Sequence[int]) -> bool:
    """Whether an operator has no traceback in its log but those that it may have.

    With 70 it says what ended it. Else each has to be of kopf's client, which met a refusal, and the operator to have
    begun anew after the last.
    """
    _, *tracebacks = log.split("Traceback (most recent call last):")
    if not tracebacks or 70 in restarts:
        return True
    return all("/kopf/_cogs/clients/" in each for each in tracebacks) and "watching namespaces" in tracebacks[-1]
