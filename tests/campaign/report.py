"""What a campaign came to: a table for people who watch, and the page docs/reliability.md for those who ask later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from campaign import generate
from campaign.planted import Bug
from campaign.runner import Result

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"
COLUMNS = ("class", "plans", "passed", "failed", "missed", "slowest end (s)")


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return a line for each class, and one for all."""
    classes = list(dict.fromkeys(_class(result) for result in results))
    parts = [(name, [each for each in results if _class(each) == name]) for name in classes]
    return [_row(name, part) for name, part in (*parts, ("all", list(results)))]


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(*COLUMNS)
    for row in rows(results):
        table.add_row(*row)
    Console().print(table)


def write(results: Sequence[Result], found: Sequence[tuple[Bug, bool]], worlds: int, page: Path = PAGE) -> None:
    """Write the figures of a whole campaign into the page, and which of the planted bugs were found."""
    text = page.read_text(encoding="utf-8")
    sections = {
        "campaign": _figures(results, worlds),
        "chaos": _verdicts(results),
        "planted": _planted(found),
    }
    for name, section in sections.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{section}\n{end}{rest.split(end)[1]}"
    page.write_text(text, encoding="utf-8")


def junit(results: Sequence[Result], seconds: float, file: Path) -> None:
    """Write the counts as pytest does, for the table that ends `make test`; a missed plan counts as skipped."""
    counts = {verdict: sum(1 for each in results if each.verdict == verdict) for verdict in ("failed", "missed")}
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": "campaign",
            "tests": str(len(results)),
            "failures": str(counts["failed"]),
            "errors": "0",
            "skipped": str(counts["missed"]),
            "time": f"{seconds:.1f}",
        },
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(file)


def _figures(results: Sequence[Result], worlds: int) -> str:
    hours = sum(result.seconds for result in results) / 3600
    head = "| class | what befalls the operator | " + " | ".join(COLUMNS[1:]) + " |"
    about = {name: (made.maker.__doc__ or "").splitlines()[0].rstrip(".") for name, made in generate.CLASSES.items()}
    lines = [f"| {row[0]} | {about.get(row[0], '')} | {' | '.join(row[1:])} |" for row in rows(results)]
    return "\n".join(
        [
            head,
            "|---|---|---:|---:|---:|---:|---:|",
            *lines,
            "",
            f"They lived {hours:.1f} hours, in {worlds} worlds side by side.",
        ]
    )


def _verdicts(results: Sequence[Result]) -> str:
    """Return operator-chaos' verdict for each of its types."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.plan.chaos is not None:
            found.setdefault(result.plan.chaos.split("/", 1)[0], []).append(result)
    head = "| type | variants | verdict | slowest end (s) |\n|---|---:|---|---:|"
    lines = [
        f"| {name} | {len(each)} | {'Resilient' if not any(one.complaints for one in each) else 'Failed'} "
        f"| {max(one.settled_after for one in each):.1f} |"
        for name, each in found.items()
    ]
    return "\n".join([head, *lines])


def _planted(found: Sequence[tuple[Bug, bool]]) -> str:
    head = "| planted | an operator that | class | found |\n|---|---|---|---|"
    lines = [f"| {bug.name} | {bug.what} | {bug.kind} | {'yes' if caught else '**no**'} |" for bug, caught in found]
    return "\n".join([head, *lines])


def _class(result: Result) -> str:
    return result.plan.name.split("/", 1)[0]


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    counts = [sum(1 for each in results if each.verdict == verdict) for verdict in ("passed", "failed", "missed")]
    slowest = max((each.settled_after for each in results), default=0.0)
    return (name, f"{len(results):,}", *(f"{count:,}" for count in counts), f"{slowest:.1f}")
