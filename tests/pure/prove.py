"""The whole campaign, `make prove`: every part of the small world to its end, walks in real time, and very many days.

It says what it does and how far it is, writes its figures into docs/proof.md, and ends with an error if a promise
broke.
"""

from __future__ import annotations

import argparse
import inspect
import math
import os
import re
import statistics
import subprocess
import sys
import time
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pure import contract, simulation
from pure.days import Days
from pure.explorer import Explorer, Found
from pure.small_world import WORLDS, World
from pure.walks import walk

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proof.md"
BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"
WALKS, STEPS = 50, 60


class TimedPlanner:
    """The planner, with a stopwatch around it alone."""

    def __init__(self) -> None:
        self.seconds = array("d")
        self._plan = simulation.planner.plan

    def plan(self, *inputs: Any) -> Any:
        began = time.thread_time()
        plan = self._plan(*inputs)
        self.seconds.append(time.thread_time() - began)
        return plan


def say(line: str, *, last: bool = False) -> None:
    """Tell how far it is: on a terminal in one line, that is written over."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="\n" if last else "", flush=True)
    elif last:
        print(line, flush=True)


def explored(worlds: list[World]) -> tuple[list[Found], int]:
    """Explore parts of the small world to their ends; return what was seen, and the steps of the walks."""
    every, walked = list[Found](), 0
    for number, world in enumerate(worlds, 1):
        where = f"{number}/{len(worlds)} {world.name}"

        def told(found: Found, left: int, where: str = where) -> None:
            say(f"{where}: {found.states:,} states, {left:,} of them to visit, {found.seconds:.0f} s")

        explorer = Explorer(world)
        found = explorer.run(told)
        said = f"{found.states:,} states, {found.transitions:,} transitions, {found.depth} deep"
        say(f"{where}: {said}, {found.seconds:.0f} s", last=True)
        for fault in found.faults:
            say(f"a promise breaks: {fault}\n", last=True)
        if not found.faults:
            walked += sum(walk(explorer, seed, STEPS) for seed in range(WALKS))
        every.append(found)
    return every, walked


def journeys() -> int:
    """Return how many journeys are told one by one, each of which is a test."""
    run = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/pure/journeys"]
    told = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sum("::" in line for line in told.splitlines())


def promises() -> str:
    """Return the promises that every state was held to, as the contract names them."""
    found = inspect.getmembers(contract, inspect.isfunction)
    names = [name.strip("_") for name, _ in found if re.match(r"_?(line|decision)_\d|(history|nobody)_", name)]
    rows = [_promise(name) for name in sorted(names, key=_place)]
    return "\n".join(["| where it is promised | what |", "|---|---|", *rows])


def _place(name: str) -> tuple[str, int, str]:
    kind, _, rest = name.partition("_")
    number = re.match(r"\d+", rest)
    return ({"line": "a", "decision": "b"}.get(kind, "c"), int(number.group()) if number else 0, name)


def _promise(name: str) -> str:
    parts = re.match(r"(line|decision)_(\d+(?:_and_\d+)*)_(.*)", name)
    where, what = ("the page on rollouts", name) if parts is None else ("", parts[3])
    if parts is not None:
        where = f"{'contract, line' if parts[1] == 'line' else 'decision'} {parts[2].replace('_', ' ')}"
    return f"| {where} | {what.replace('_', ' ')} |"


def figures(every: list[Found], walked: int, days: tuple[int, float], told: int, timed: array[float]) -> str:
    """Return the figures as a table."""
    about = {world.name: world.about for world in WORLDS}
    rows = [
        f"| {each.world} | {about[each.world]} | {each.states:,} | {each.transitions:,} | {each.depth} | "
        f"{each.longest if not each.faults else f'**{len(each.faults)} promises break**'} | {each.seconds:.0f} |"
        for each in every
    ]
    states, moves = sum(each.states for each in every), sum(each.transitions for each in every)
    rows.append(f"| **all** | | **{states:,}** | **{moves:,}** | | | {sum(each.seconds for each in every):.0f} |")
    spread = statistics.quantiles(timed, n=100)
    head = "| part | what may happen in it | states | transitions | depth | steps to rest | seconds |"
    return "\n".join(
        [
            *(head, "|---|---|---:|---:|---:|---:|---:|", *rows, ""),
            f"Beside these: {walked:,} steps of walks in real time, all in explored states; {days[0]:,} random days "
            f"({days[1]:.0f} s); {told} journeys told one by one.",
            "",
            f"One decision took {1000 * spread[49]:.2f} ms of processor time (median), {1000 * spread[98]:.2f} ms "
            f"(99th percentile), {1000 * max(timed):.1f} ms at most, over {len(timed):,} of them.",
        ]
    )


def write(sections: dict[str, str]) -> None:
    """Write the sections between their marks."""
    page = PAGE.read_text(encoding="utf-8")
    for name, section in sections.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{section}\n{end}{rest.split(end)[1]}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=int(os.environ.get("FERRYMAN_EXAMPLES", "100000")))
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no random day after so many")
    parser.add_argument("--part", action="append", help="explore this part only, and write nothing", default=[])
    arguments = parser.parse_args()
    if arguments.part:
        every, _ = explored([world for world in WORLDS if world.name in arguments.part])
        sys.exit(any(found.faults for found in every))
    write({"promises": promises()})
    timed = TimedPlanner()
    simulation.planner = SimpleNamespace(plan=timed.plan)
    days = Days(ROOT, arguments.examples, arguments.minutes)
    for _ in range((os.cpu_count() or 2) - 1):
        days.help()
    every, walked = explored(list(WORLDS))
    days.help()
    write({"figures": figures(every, walked, days.lived(say), journeys(), timed.seconds)})
    say(f"written: {PAGE.relative_to(ROOT)}", last=True)
    sys.exit(any(found.faults for found in every))


if __name__ == "__main__":
    main()
