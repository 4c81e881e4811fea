"""How a day is walked: station by station, under a prober's eyes, until one does not hold."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.rule import Rule

from ferrydemo import patience, stage
from ferrydemo.kube import KubectlError
from ferrydemo.modeldeployment import ModelDeployment, Status, revision, share
from ferrydemo.prober import Prober, ProberError
from ferrydemo.scene import Scene, Station
from ferrydemo.stage import Registered

HOST = "fraud.example.com"
URL = f"{stage.GATEWAY}/v1/models/fraud:predict"
START_SECONDS = 90.0
"""How long a revision's pods may take on a busy machine with two cores."""
ACT_SECONDS = 30.0
"""How long a change that starts no pod may take."""
TROUBLE = (patience.OutOfPatienceError, KubectlError, ProberError, httpx.HTTPError)


class Walk(ABC):
    """A walk through stations, and what is remembered on the way."""

    def __init__(
        self, deployment: ModelDeployment, registered: Registered, console: Console, record: Path, clock: float
    ) -> None:
        self.deployment = deployment
        self.stations: list[Station] = []
        self._console = console
        self._clock = clock
        self._names: dict[str, str] = {}
        """What people call a revision: v and the registry's version."""
        self._prober = Prober(URL, HOST, registered.rows, record)

    @abstractmethod
    def stations_in_order(self) -> tuple[Callable[[], None], ...]:
        """Return what is visited."""

    def walk(self) -> bool:
        """Visit every station; stop at one that does not hold. True when all held."""
        try:
            for station in self.stations_in_order():
                station()
                if self.stations[-1].misses:
                    return False
        finally:
            self._prober.stop()
        return True

    def _weigh(self, title: str, change: dict[str, object], percent: int, seconds: float, window: float) -> None:
        """Ask for a share for the candidate, and measure it."""
        with self._station(title) as scene:
            scene.type(self.deployment.patch_command(change))
            status = scene.wait(
                f"the candidate has {percent} %",
                lambda said: said.get("phase") == "Canary" and share(said, "candidate") == percent,
                seconds,
            )
            stable, candidate = self._role(status, "stable"), self._meet(status, "candidate")
            scene.split(self._prober, self._names, {stable: 100 - percent, candidate: percent}, window)
            scene.show()

    @contextlib.contextmanager
    def _station(self, title: str) -> Iterator[Scene]:
        """Walk one station: its time, its requests, and its trouble, if there is any, go into the table."""
        station = Station(title)
        self.stations.append(station)
        self._console.print(Rule(f"[bold]{len(self.stations)}  {title}", align="left"))
        scene = Scene(self._console, self.deployment, station, self._clock)
        began, since = time.monotonic(), self._prober.mark()
        try:
            yield scene
        except TROUBLE as error:
            scene.claim(False, str(error))
        station.seconds = time.monotonic() - began
        if self._prober.is_asking:
            with contextlib.suppress(ProberError):
                window = self._prober.window(since)
                station.requests, station.failed = window.requests, len(window.failures)
                for failure in window.failures[:5]:
                    scene.say(f"request {failure.number} failed: {failure.fault}", "red")
            if station.failed or not station.requests:
                station.misses.append(f"{station.failed} of {station.requests} requests failed")

    def _meet(self, status: Status, role: str) -> str:
        """Learn what to call a revision, and return its name."""
        name = revision(status, role)
        self._names[name] = f"v{status[role]['model']['version']}"
        return name

    def _role(self, status: Status, role: str) -> str:
        return revision(status, role)

    def _predicts(self) -> bool:
        try:
            answer = httpx.post(URL, json=self._prober.payload, headers={"Host": HOST}, timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK
