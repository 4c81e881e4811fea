"""`make soak`: an hour of load at half of the server's capacity, in all its protocols, every answer checked.

python -m benchmarks.soak [--minutes 60] [--share 0.5]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from benchmarks.server import answers, load, machine, peers, places, process
from benchmarks.server.cases import Model
from benchmarks.server.process import Server
from benchmarks.server.questions import Sheet
from benchmarks.soak import load as loads
from benchmarks.soak import minutes as measured
from benchmarks.soak import page, questions
from benchmarks.soak.load import Pace, Place
from benchmarks.soak.minutes import Minute

GRPC_SHARE = 0.1
"""Of all requests."""
MEASURING = 5.0
"""Seconds of full load, from which the capacity is known."""
WHOLE = 60


def main(arguments: list[str]) -> int:
    """Prepare, load, tell; write the page after a whole hour."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=WHOLE)
    parser.add_argument("--share", type=float, default=0.5, help="of the capacity (0.5)")
    asked = parser.parse_args(arguments)
    if install := load.missing():
        print(f"The load generators are missing: {install}")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, the server ends first
    minutes: list[Minute] = []
    facts: dict[str, str] = {}
    try:
        cores = machine.cores()
        _train()
        os.sched_setaffinity(0, {cores.load})
        with process.started(peers.BY_NAME["ferryman"], Model.IRIS, cores.server) as server:
            facts |= machine.facts()
            _run(server, cores.load, asked, minutes, facts)
    except KeyboardInterrupt:
        print("Interrupted.")
    except (
        machine.MachineError,
        process.ServerError,
        load.LoadError,
        answers.WrongError,
        questions.WrongError,
    ) as fault:
        print(fault)
        return 1
    if not minutes:
        return 130
    verdict = measured.verdict(minutes)
    print(verdict.words)
    if len(minutes) >= WHOLE:
        facts["day"] = time.strftime("%d %b %Y", time.gmtime())
        page.PAGE.write_text(page.text(facts, minutes), encoding="utf-8")
        print(f"written: {page.PAGE.relative_to(places.REPOSITORY)}")
    return int(not verdict.good)


def _train() -> None:
    """The benchmark's models, made anew: the server's environment may be another since."""
    command = [str(places.SERVER_VENV / "bin" / "python"), "-m", "benchmarks.server.models", str(places.MODELS)]
    silent = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_CONFIGURE_LOGGING": "false"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=places.REPOSITORY, check=False, env=silent)
    if done.returncode:
        raise process.ServerError(f"The models cannot be trained: {done.stderr[-2000:]}")


def _run(server: Server, core: int, asked: argparse.Namespace, minutes: list[Minute], facts: dict[str, str]) -> None:
    """Ask once at rest, measure the capacity, then load for so many minutes."""
    place = _asked(server, core)
    capacity = loads.full(place.http, place.questions, core, MEASURING)
    if capacity.errors:
        raise load.LoadError(f"{capacity.errors} answers were wrong at full load: {capacity.sample}")
    rate = capacity.rate * asked.share
    pace = Pace(rate * (1 - GRPC_SHARE), rate * GRPC_SHARE)
    facts["capacity"] = f"{capacity.rate:,.0f} requests a second of this mix"
    print(f"{facts['capacity']}; {rate:,.0f} are asked for {asked.minutes} minutes\n{measured.HEAD}", flush=True)
    for number in range(1, asked.minutes + 1):
        cpu = server.cpu_seconds()
        of_http, of_grpc = loads.together(place, pace, 60)
        one = Minute(
            number,
            of_http.rate + of_grpc.rate,
            of_http.errors + of_grpc.errors,
            max(of_http.p99_ms, of_grpc.p99_ms),
            server.memory_mb(),
            (server.cpu_seconds() - cpu) / of_http.seconds,
        )
        minutes.append(one)
        print(one.line() + (f"  {of_http.sample}" if of_http.sample else ""), flush=True)


def _asked(server: Server, core: int) -> Place:
    """The questions as files, once the server has answered them rightly."""
    sheet = Sheet.read(places.MODELS / Model.IRIS)
    for protocol, path in questions.PATHS.items():
        answers.must(answers.wrong(server, path, sheet.questions(questions.IRIS_1, protocol)))
    asked = questions.answered(server.ports.http, questions.made(sheet))
    file = places.CACHE / "requests" / "soak.lua"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(loads.lua(asked), encoding="ascii")
    call = places.MODELS / Model.IRIS / "grpc-1.bin"
    answers.must(answers.wrong_grpc(server, call, sheet.answers[:1]))
    size = load.grpc_answer_bytes(server.ports.grpc, call, core)
    return Place(server.ports.http, server.ports.grpc, file, call, size, core)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
