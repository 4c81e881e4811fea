"""`make bench-server`: our server beside its peers, on one core, in one run.

python -m benchmarks.server [--quick] [--only iris] [--peers ferryman,kserve] [--rounds 5] [--seconds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from benchmarks.server import cases, environments, load, machine, measure, page, peers, places, table, targets
from benchmarks.server.cases import Cell
from benchmarks.server.outcome import Outcome
from benchmarks.server.plan import Plan, Screen
from benchmarks.server.stats import Slice

BUSY = 0.3


def main(arguments: list[str]) -> int:
    """Prepare, measure, tell, write."""
    asked = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    if install := load.missing():
        console.print(f"[red]The load generators are missing: {install}[/]")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, the servers end first
    try:
        plan = _plan(asked)
        _prepare(plan, console)
    except (machine.MachineError, environments.NoEnvironmentError) as fault:
        console.print(f"[red]{fault}[/]")
        return 1
    outcome = Outcome(facts=machine.facts())
    waiting = os.getloadavg()[0]
    if waiting > BUSY:
        console.print(f"[yellow]This machine is busy (load {waiting:.1f}): the figures will say little.[/]")
    stolen, ticks = machine.steal()
    os.sched_setaffinity(0, {plan.cores.load})
    began = time.monotonic()
    whole = True
    try:
        _measured(plan, outcome, console)
    except KeyboardInterrupt:
        console.print("Interrupted: what was measured so far follows.")
        whole = False
    now_stolen, now_ticks = machine.steal()
    outcome.facts |= {
        "day": time.strftime("%d %b %Y", time.gmtime()),
        "took": f"{(time.monotonic() - began) / 60:.0f} minutes",
        "rounds": f"{plan.rounds} of {plan.seconds:g} s",
        "load before": f"{waiting:.2f}",
        "stolen by other machines": f"{(now_stolen - stolen) / max(1.0, now_ticks - ticks):.1%}",
        "core's speed wandered by": f"± {outcome.wandering():.1%}",
    }
    _told(plan, outcome, console, write=whole and not asked.quick)
    return 0 if whole else 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-server", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke of a minute or two: four servers, two cases")
    parser.add_argument("--only", default="", help="cases whose name has this in it, e.g. 'iris' or 'forest, 1 row'")
    parser.add_argument("--peers", default="", help="servers by name, with commas between")
    parser.add_argument("--rounds", type=int, help="how often each cell is measured (5)")
    parser.add_argument("--seconds", type=float, help="how long a slice is (3)")
    return parser


def _plan(asked: argparse.Namespace) -> Plan:
    chosen = peers.named(asked.peers or (",".join(peers.QUICK) if asked.quick else ""))
    wanted = [case for case in (cases.QUICK if asked.quick else cases.CASES) if asked.only in str(case)]
    if not wanted:
        sys.exit(f'No case has "{asked.only}" in its name. There are {"; ".join(map(str, cases.CASES))}.')
    return Plan(
        peers=chosen,
        cases=wanted,
        rounds=asked.rounds or (1 if asked.quick else 5),
        seconds=asked.seconds or (1 if asked.quick else 3),
        cores=machine.cores(),
        extras=not asked.only and not asked.quick,
    )


def _prepare(plan: Plan, console: Console) -> None:
    """Make the environments that are missing, and train the models."""
    names = list(dict.fromkeys(peer.environment for peer in plan.peers))
    for at, name in enumerate(names, start=1):
        if environments.made(name):
            continue
        with console.status(f"environment {at} of {len(names)}: {name}"):
            environments.make(name)
        console.print(f"environment {name} is made")
    with console.status("training the models"):
        python = str(places.SERVER_VENV / "bin" / "python")
        command = [python, "-m", "benchmarks.server.models", str(places.MODELS)]
        silent = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_CONFIGURE_LOGGING": "false"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=places.REPOSITORY, check=False, env=silent)
    if done.returncode:
        raise environments.NoEnvironmentError(f"The models cannot be trained: {done.stderr[-2000:]}")


def _measured(plan: Plan, outcome: Outcome, console: Console) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        task = progress.add_task("slices", total=None)
        expected = 0

        def expect(count: int) -> None:
            nonlocal expected
            expected += count
            progress.update(task, total=expected)

        def finished(cell: Cell, one: Slice) -> None:
            rate = one.measured.requests / one.measured.seconds
            errors = f" [red]{one.measured.errors} errors[/]" if one.measured.errors else ""
            progress.console.print(f"{cell!s:62} {rate:9,.0f}/s  p50 {one.measured.p50_us / 1000:7.2f} ms{errors}")
            progress.advance(task)

        screen = Screen(
            say=progress.console.print,
            expect=expect,
            now=lambda text: progress.update(task, description=text),
            done=finished,
        )
        measure.run(plan, outcome, screen)


def _told(plan: Plan, outcome: Outcome, console: Console, *, write: bool) -> None:
    results = outcome.results()
    verdicts = targets.judged(results)
    for one in (
        *table.cases(results),
        table.footprints(results),
        table.others(results),
        table.left_out(results),
        table.targets(verdicts if write else [one for one in verdicts if one.reached is not None]),
    ):
        if one.rows:
            console.print(_drawn(one))
    console.print("; ".join(f"{name} {value}" for name, value in outcome.facts.items()), style="dim")
    places.REPORT.parent.mkdir(exist_ok=True)
    places.REPORT.write_text(json.dumps(outcome.as_json(), indent=1), encoding="utf-8")
    console.print(f"raw figures: {places.REPORT.relative_to(places.REPOSITORY)}")
    whole = plan.peers == list(peers.PEERS) and plan.cases == list(cases.CASES)
    if write and whole:
        text = places.PAGE.read_text(encoding="utf-8")
        places.PAGE.write_text(page.filled(text, page.body(results, verdicts)), encoding="utf-8")
        console.print(f"written: {places.PAGE.relative_to(places.REPOSITORY)}")
    else:
        console.print("docs/benchmarks.md stays as it is: only a whole run is written there.")


def _drawn(one: table.Table) -> RichTable:
    drawn = RichTable(title=one.title, title_justify="left")
    for at, head in enumerate(one.head):
        drawn.add_column(head, justify="right" if table.right(one, at) else "left", overflow="fold")
    for at, row in enumerate(one.rows):
        colour = {"reached": "green", "not reached": "red"}.get(row[-1], "bold" if at in one.ours else "")
        drawn.add_row(*row, style=colour)
    return drawn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
