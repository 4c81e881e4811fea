"""`python -m campaign`: learn, make plans, live them, judge them, and tell in a table."""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import logging
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import yaml

from campaign import generate, ground, report, runner
from campaign.faults import Plan

REPORTS = Path(__file__).parents[2] / ".reports" / "campaign"


async def main(arguments: argparse.Namespace) -> int:
    """Run what was asked for; return the process's exit code."""
    begun = time.monotonic()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # leave nothing behind

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    shutil.rmtree(REPORTS, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix="campaign-"))
    async with AsyncExitStack() as stack:
        say("starting a control plane")
        stands = await stack.enter_async_context(ground.prepared(directory))
        worlds = await runner.opened(stands, stack, arguments.worlds)
        battle = runner.Campaign(stands, worlds, REPORTS, say)
        wished = _wished(arguments)
        await battle.learn(workload for _, workload in wished)
        made = arguments.plan or [plan for kind, workload in wished for plan in battle.plans(kind, workload)]
        plans = [plan for plan in made if fnmatch.fnmatch(plan.name, arguments.only)][:: arguments.every]
        say(f"{len(plans)} plans in {len(worlds)} worlds")
        if arguments.list:
            for plan in plans:
                say(plan.name)
            return 0
        await battle.live(plans)
        report.show(battle.results)
    shutil.rmtree(directory, ignore_errors=True)
    return int(any(result.complaints for result in battle.results))


def _wished(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Return each class of plans that was asked for, with each of its workloads."""
    if arguments.plan:
        return [(plan.name.split("/", 1)[0], plan.workload) for plan in arguments.plan]
    return [
        (kind, workload)
        for kind in arguments.kind or generate.CLASSES
        for workload in generate.CLASSES[kind][1]
        if not arguments.workload or workload in arguments.workload
    ]


def _plan(name: str) -> Plan:
    return Plan.model_validate(yaml.safe_load(Path(name).read_text()))


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(generate.CLASSES), help="these classes of plans only")
    parser.add_argument("--workload", action="append", help="these workloads only")
    parser.add_argument("--only", default="*", help="plans whose names match")
    parser.add_argument("--every", type=int, default=1, help="each so-manieth plan")
    parser.add_argument("--plan", action="append", type=_plan, help="a plan file, to be replayed")
    parser.add_argument("--worlds", type=int, default=10, help="how many plans are lived side by side")
    parser.add_argument("--list", action="store_true", help="name the plans, and live none")
    return parser.parse_args(words)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
