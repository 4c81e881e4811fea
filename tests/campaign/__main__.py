"""`python -m campaign`: learn, make plans, live them, judge them, and tell in a table."""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import logging
import shutil
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

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    shutil.rmtree(REPORTS, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix="campaign-"))
    async with AsyncExitStack() as stack:
        say("starting a control plane")
        stands = await stack.enter_async_context(ground.prepared(directory))
        worlds = await runner.opened(stands, stack, arguments.worlds)
        battle = runner.Campaign(stands, worlds, REPORTS, say)
        if arguments.plan:
            plans = [Plan.model_validate(yaml.safe_load(Path(name).read_text())) for name in arguments.plan]
            await battle.learn(plan.workload for plan in plans)
        else:
            classes = arguments.kind or list(generate.CLASSES)
            await battle.learn(
                name for kind in classes for name in generate.CLASSES[kind][1] if _wanted(name, arguments)
            )
            known = battle.known
            plans = [
                plan
                for kind in classes
                for workload in generate.CLASSES[kind][1]
                if workload in known
                for plan in generate.CLASSES[kind][0](workload, known[workload])
                if fnmatch.fnmatch(plan.name, arguments.only)
            ][:: arguments.every]
        say(f"{len(plans)} plans in {len(worlds)} worlds")
        if arguments.list:
            for plan in plans:
                say(plan.name)
            return 0
        await battle.live(plans)
        report.show(battle.results)
    shutil.rmtree(directory, ignore_errors=True)
    return int(any(result.complaints for result in battle.results))


def _wanted(workload: str, arguments: argparse.Namespace) -> bool:
    return not arguments.workload or workload in arguments.workload


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(generate.CLASSES), help="these classes of plans only")
    parser.add_argument("--workload", action="append", help="these workloads only")
    parser.add_argument("--only", default="*", help="plans whose names match")
    parser.add_argument("--every", type=int, default=1, help="each so-manieth plan")
    parser.add_argument("--plan", action="append", help="a plan file, to be replayed")
    parser.add_argument("--worlds", type=int, default=10, help="how many plans are lived side by side")
    parser.add_argument("--list", action="store_true", help="name the plans, and live none")
    return parser.parse_args(words)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
