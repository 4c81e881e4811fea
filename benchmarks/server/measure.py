"""The run itself: for each model all its servers, asleep; then round after round, one awake at a time."""

from __future__ import annotations

import contextlib
import statistics

from benchmarks.server import answers, calm, cases, door, load, machine, process
from benchmarks.server.cases import Model
from benchmarks.server.door import Door
from benchmarks.server.outcome import Footprint, Outcome
from benchmarks.server.plan import Plan, Screen
from benchmarks.server.process import Server
from benchmarks.server.stats import Slice

SEED = 20


def run(plan: Plan, outcome: Outcome, screen: Screen) -> None:
    """Measure all of it, one model after the other."""
    for model in dict.fromkeys(case.model for case in plan.cases):
        with contextlib.ExitStack() as stack:
            servers = _start(plan, model, stack, outcome, screen)
            doors = [one for server in servers for one in door.opened(plan, server, outcome, screen)]
            idle = {server.peer.name: server.memory_mb() for server in servers}
            _rounds(plan, doors, outcome, screen)
            for server in servers:
                name = server.peer.name
                outcome.footprints[name, model] = Footprint(server.ready_seconds, idle[name], server.memory_mb())
            if plan.extras and model is Model.IRIS:
                calm.lone(plan, doors, outcome, screen)
    if plan.extras:
        calm.liveness(plan, outcome, screen)


# --- starting -------------------------------------------------------------------------------------


def _start(plan: Plan, model: Model, stack: contextlib.ExitStack, outcome: Outcome, screen: Screen) -> list[Server]:
    """Start one server after the other, each alone on the core; the ready ones sleep."""
    servers = []
    for peer in (peer for peer in plan.peers if model in peer.models):
        screen.now(f"starting {peer.name} with {model}")
        try:
            server = stack.enter_context(process.started(peer, model, plan.cores.server))
        except process.ServerError as fault:
            outcome.left_out.append((f"{peer.name}, {model}", str(fault)))
            screen.say(f"[red]{fault}[/]")
            continue
        servers.append(server)
        screen.say(f"{peer.name} with {model}: ready in {server.ready_seconds:.1f} s, {server.memory_mb():.0f} MB")
        server.sleep()
    return servers


def _rounds(plan: Plan, doors: list[Door], outcome: Outcome, screen: Screen) -> None:
    by_cell = {one.cell: one for one in doors}
    screen.expect(len(doors) * plan.rounds)
    for order in cases.rounds(list(by_cell), plan.rounds, SEED):
        for cell in order:
            screen.now(str(cell))
            try:
                one = _slice(plan, by_cell[cell])
            except (answers.WrongError, load.LoadError) as fault:
                outcome.left_out.append((f"{cell}, one slice", str(fault)))
                screen.say(f"[red]{cell}: {fault}[/]")
                continue
            outcome.slices.setdefault(cell, []).append(one)
            screen.done(cell, one)


def _slice(plan: Plan, asked: Door) -> Slice:
    """Measure the core, wake the server, check it, load it, send it back to sleep, measure the core again."""
    before = machine.calibrate(plan.cores.server)
    with asked.server.awake():
        answers.must(asked.check(plan.cores.load))
        cpu = asked.server.cpu_seconds()
        measured = asked.press(plan.cores.load, plan.seconds)
        cpu = asked.server.cpu_seconds() - cpu
    return Slice(measured, cpu, statistics.mean((before, machine.calibrate(plan.cores.server))))
