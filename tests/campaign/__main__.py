"""`python -m campaign`: learn, make plans, live them, judge them, and tell in a table.

Without options everything is lived, which takes two hours; then mistakes are planted in copies of the operator, each
of which has to be found. A class that was lived whole is written into docs/reliability.md, so that it may also be
done class by class (`--kind`), and gone on with when it was cut off (`--resume`).
"""

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
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from campaign import generate, ground, page, planted, report, runner
from campaign.diary import Diary
from campaign.faults import Plan
from campaign.planted import BUGS, Bug
from campaign.runner import Campaign

REPORTS = Path(__file__).parents[2] / ".reports" / "campaign"

QUICK: tuple[tuple[str, str, str, int], ...] = (
    ("chains", "chain", "*/[12]", 1),  # the longest, so the first
    ("crash", "create", "*", 8),
    ("crash", "promote", "*", 5),
    ("crash", "withdraw", "*", 6),
    ("crash-twice", "promote", "*", 60),
    ("unobserved", "promote", "*", 12),
    ("stale", "promote", "*", 5),
    ("errors", "promote", "*[!g]-from-*", 12),
    ("errors", "shadow", "*hang-patch-virtualservices", 1),
    ("storms", "promote", "*", 3),
    ("chaos", "rest", "*", 6),
)
"""What `--quick` lives: of each class and workload the plans whose names match, each so-manieth of them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Some plans of one class and workload."""

    kind: str
    workload: str
    only: str = "*"
    every: int = 1


async def main(arguments: argparse.Namespace) -> int:
    """Run what was asked for; return the process's exit code."""
    begun = time.monotonic()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # leave nothing behind

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    diary = Diary(REPORTS.with_suffix(".jsonl"))
    if not arguments.resume:
        shutil.rmtree(REPORTS, ignore_errors=True)
        diary.begin()
    if arguments.planted:
        return await _planted(diary, arguments.worlds, say)
    async with opened(arguments.worlds, say) as campaign:
        plans, before = await _plans(campaign, arguments), diary.results()
        known = {result.plan.name for result in before}
        plans = [plan for plan in plans if plan.name not in known]
        say(f"{len(plans)} plans in {len(campaign.worlds)} worlds" + (f"; {len(known)} are lived" if known else ""))
        if arguments.list:
            for plan in plans:
                say(plan.name)
            return 0
        campaign.lived = diary.note
        await campaign.live(plans)
    results = [*before, *campaign.results]
    report.show(results)
    report.junit(results, time.monotonic() - begun, REPORTS.with_suffix(".xml"))
    failed = int(any(result.complaints for result in results))
    if arguments.workload or arguments.plan or arguments.quick or arguments.only != "*" or arguments.every > 1:
        return failed
    kinds = arguments.kind or list(generate.CLASSES)
    page.write({kind: [each for each in results if each.kind == kind] for kind in kinds}, diary.operator)
    return failed if arguments.kind else failed | await _planted(diary, arguments.worlds, say)


@asynccontextmanager
async def opened(count: int, say: Callable[[str], None], bug: Bug | None = None) -> AsyncIterator[Campaign]:
    """Open a campaign on a control plane of its own, for the operator as it is or one with a planted bug."""
    directory = Path(tempfile.mkdtemp(prefix="campaign-"))
    try:
        async with AsyncExitStack() as stack:
            say("starting a control plane")
            operator = planted.planted(bug, directory) if bug is not None else planted.SOUND
            stands = await stack.enter_async_context(ground.prepared(directory, operator))
            yield Campaign(stands, await runner.opened(stands, stack, count), REPORTS, say)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _plans(campaign: Campaign, arguments: argparse.Namespace) -> Sequence[Plan]:
    """Learn what the wished plans need, and return them."""
    if arguments.plan:
        await campaign.learn(plan.workload for plan in arguments.plan)
        return list(arguments.plan)
    wishes = _wishes(arguments)
    await campaign.learn(wish.workload for wish in wishes)
    return [plan for wish in wishes for plan in _of(campaign, wish)][:: arguments.every]


def _of(campaign: Campaign, wish: Wish) -> Sequence[Plan]:
    made = campaign.plans(wish.kind, wish.workload)
    return [plan for plan in made if fnmatch.fnmatch(plan.name, wish.only)][:: wish.every]


def _wishes(arguments: argparse.Namespace) -> list[Wish]:
    if arguments.quick:
        return [Wish(*each) for each in QUICK]
    return [
        Wish(kind, workload, arguments.only)
        for kind in arguments.kind or generate.CLASSES
        for workload in generate.CLASSES[kind].workloads
        if not arguments.workload or workload in arguments.workload
    ]


async def _planted(diary: Diary, worlds: int, say: Callable[[str], None]) -> int:
    """Plant each bug that was not planted yet, and write down which were found; return 1 if one was not."""
    for bug in BUGS:
        if bug.name not in diary.planted():
            diary.note_planted(bug.name, found=await _finds(bug, worlds, say))
    page.write_planted(diary.planted())
    return int(not all(diary.planted().values()))


async def _finds(bug: Bug, worlds: int, say: Callable[[str], None]) -> bool:
    """Tell whether the campaign finds a planted bug."""
    say(f"planted: {bug.name}, which {bug.what}")
    async with opened(worlds, lambda text: say(f"  {text}"), bug) as campaign:
        wish = Wish(bug.kind, bug.workload, bug.only)
        await campaign.learn([bug.workload])
        await campaign.live(_of(campaign, wish)[: 2 * worlds])
    complained = {oracle for result in campaign.results if result.kind == bug.kind for oracle in result.complaints}
    found = bug.oracle in complained
    say(f"planted: {bug.name} was {'found' if found else 'NOT FOUND'} by {bug.oracle}, of {sorted(complained)}")
    return found


def _plan(name: str) -> Plan:
    return Plan.model_validate(yaml.safe_load(Path(name).read_text()))


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fixed part, in a few minutes")
    parser.add_argument("--kind", action="append", choices=list(generate.CLASSES), help="these classes of plans only")
    parser.add_argument("--workload", action="append", help="these workloads only")
    parser.add_argument("--only", default="*", help="plans whose names match")
    parser.add_argument("--every", type=int, default=1, help="each so-manieth plan")
    parser.add_argument("--plan", action="append", type=_plan, help="a plan file, to be replayed")
    parser.add_argument("--planted", action="store_true", help="only plant mistakes, each of which has to be found")
    parser.add_argument("--resume", action="store_true", help="go on where the last campaign was cut off")
    parser.add_argument("--worlds", type=int, default=10, help="how many plans are lived side by side")
    parser.add_argument("--list", action="store_true", help="name the plans, and live none")
    return parser.parse_args(words)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
