"""One station of the day: what a user types, what is seen meanwhile, what was asked and what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from ferrydemo import measure
from ferrydemo.answer import Window
from ferrydemo.measure import Split
from ferrydemo.modeldeployment import ModelDeployment, Status, condition
from ferrydemo.prober import Prober


@dataclass(slots=True)
class Station:
    """What is told of a station in the last table."""

    title: str
    seconds: float = 0.0
    requests: int = 0
    failed: int = 0
    asked: str = ""
    measured: str = ""
    misses: list[str] = field(default_factory=list)
    """What did not hold."""


class Scene:
    """A station while it is walked."""

    def __init__(self, console: Console, deployment: ModelDeployment, station: Station, clock: float) -> None:
        self.console = console
        self.deployment = deployment
        self.station = station
        self._clock = clock
        self._heard = ""
        self.typed_at = time.time()

    def say(self, text: str, style: str = "") -> None:
        """Print a line with the time since the demo began in front."""
        elapsed = time.monotonic() - self._clock
        self.console.print(Text.assemble((f"{elapsed:6.1f} s  ", "dim"), (text, style)), soft_wrap=True)

    def type(self, command: str) -> None:
        """Show the command that a user would type, and run exactly it."""
        self.console.print(Text(f"          $ {command}", style="bold cyan"), soft_wrap=True)
        self.typed_at = time.time()
        for line in self.deployment.kube.type(command).splitlines():
            self.console.print(Text(f"          {line}"), soft_wrap=True)

    def wait(self, what: str, claim: Callable[[Status], Any], seconds: float) -> Status:
        """Wait for what the status should say; every change on the way is told."""
        return self.deployment.wait(what, claim, seconds, self._hear)

    def claim(self, holds: bool, text: str) -> None:
        """Tell whether something is as it should be, and remember when it is not."""
        self.say(f"{'✓' if holds else '✗'} {text}", "green" if holds else "bold red")
        if not holds:
            self.station.misses.append(text)

    def split(self, prober: Prober, names: dict[str, str], split: Split, seconds: float) -> Window:
        """Wait until Envoy has the split, measure it, and judge it."""
        moved = measure.settled(prober, split, self.typed_at)
        when = f", all of it {moved:.1f} s after the command" if len(split) == 1 else ""
        window = measure.window(prober, seconds)
        shares = {revision: window.share(revision) for revision in [*split, *window.by_revision]}
        asked = ", ".join(f"{names.get(name, name)} {percent} %" for name, percent in split.items())
        measured = ", ".join(f"{names.get(name, name)} {part:.1f} %" for name, part in shares.items())
        self.station.asked = " / ".join(str(percent) for percent in split.values())
        self.station.measured = " / ".join(f"{part:.1f}" for part in shares.values())
        self.claim(
            measure.fits(window, split) and not window.failures,
            f"asked {asked}; measured {measured} of {window.requests} requests, "
            f"{len(window.failures)} failed, p50 {window.p50 * 1000:.1f} ms, p99 {window.p99 * 1000:.1f} ms{when}",
        )
        return window

    def show(self, *options: str) -> None:
        """Print what `kubectl get mdep` says."""
        self.type(" ".join([f"kubectl -n {self.deployment.namespace} get mdep", *options]))

    def _hear(self, status: Status) -> None:
        if not status:
            return
        traffic = status.get("traffic", {})
        obstacle = condition(status, "CandidateHealthy") or condition(status, "Ready")
        shares = f"{traffic.get('stable', 0)}/{traffic.get('candidate', 0)}"
        shadow = f" shadow {traffic['shadow']}" if traffic.get("shadow") else ""
        told = f"{status.get('phase', '')} {shares}{shadow}  {obstacle.get('message', '')}"
        if told != self._heard:
            self._heard = told
            self.say(told, "yellow")
