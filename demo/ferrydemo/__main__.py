"""`make demo`: the stage, the day, the table. Exit code 0 only if every station held and no request failed."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ferrydemo import patience, stage
from ferrydemo.day import Day
from ferrydemo.kube import Kube, KubectlError
from ferrydemo.scene import Station
from ferrydemo.stage import Registered
from localcluster import binaries, paths

SLOW_SECONDS = 240.0
KINDS = ("centroid", "regression", "unloadable", "tuned")


def main() -> int:
    """Set the stage, walk the day, say how it went."""
    clock = time.monotonic()
    console = Console(highlight=False)
    try:
        kube = stage.cluster()
        registered = _set(kube, console, clock)
        record = Path(tempfile.mkdtemp(prefix="ferryman-demo-")) / "requests.tsv"
        day = Day(kube, registered, console, record, clock)
        held = day.walk()
    except (stage.StageError, patience.OutOfPatienceError, KubectlError) as error:
        console.print(Text(f"✗ {error}", style="bold red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped; the cluster is still up, `make cluster-down` ends it")
        return 130
    console.print(Rule())
    console.print(_table(day.stations))
    requests = sum(station.requests for station in day.stations)
    failed = sum(station.failed for station in day.stations)
    console.print(
        Text(
            f"{'Every station held' if held else 'NOT every station held'}: {requests} requests, {failed} failed, "
            f"{time.monotonic() - clock:.0f} s in all.",
            style="bold green" if held else "bold red",
        )
    )
    _farewell(console, record)
    return 0 if held else 1


def _set(kube: Kube, console: Console, clock: float) -> Registered:
    """Install what the day needs; MLflow and the operator start side by side."""

    def say(text: str) -> None:
        console.print(Text.assemble((f"{time.monotonic() - clock:6.1f} s  ", "dim"), text), soft_wrap=True)

    console.print(Rule("[bold]the stage", align="left"))
    say("MLflow, the gateway and the operator are being installed")
    with futures.ThreadPoolExecutor() as pool:
        emptied = pool.submit(stage.fresh_namespace, kube, "demo")
        stage.tracking(kube)
        stage.operator(kube, poll_seconds=5)
        stage.rolled_out(kube, "ml", "mlflow", SLOW_SECONDS, _once(say))
        say("MLflow answers; four models are being trained and registered in it")
        registered = stage.train(kube, "fraud", *KINDS)
        for version in registered.versions:
            note = ", and cannot load where its own code is missing" if version.kind == "unloadable" else ""
            say(f"  fraud v{version.version}: {version.kind}, accuracy {version.accuracy:.1%}{note}")
        stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, SLOW_SECONDS, _once(say))
        emptied.result()
    say("the operator is ready")
    return registered


def _once(say: stage.Say) -> stage.Say:
    """Say a thing only when it is news."""
    last = ""

    def heard(text: str) -> None:
        nonlocal last
        if text and text != last:
            last = text
            say(text)

    return heard


def _table(stations: list[Station]) -> Table:
    table = Table(
        title="The day of a user", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for name in ("", "station", "s", "requests", "failed", "asked %", "measured %"):
        table.add_column(name, justify="left" if name == "station" else "right", no_wrap=True)
    for station in stations:
        table.add_row(
            Text("✗", "bold red") if station.misses else Text("✓", "green"),
            station.title,
            f"{station.seconds:.1f}",
            str(station.requests),
            str(station.failed),
            station.asked,
            station.measured,
        )
    return table


def _farewell(console: Console, record: Path) -> None:
    lines = (
        "Look around:",
        f"  export KUBECONFIG={paths.kubeconfig()} PATH=$PATH:{binaries.path('kubectl').parent}",
        "  kubectl -n demo get mdep,deploy,hpa,svc,virtualservice",
        "  kubectl -n demo describe mdep fraud",
        "  kubectl explain mdep.spec.rollout",
        f"  every request of the day is in {record}",
        "Tear down:",
        "  make cluster-down",
    )
    for line in lines:
        console.print(Text(line), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
