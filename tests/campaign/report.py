"""What a campaign came to: a table for people who watch, and counts for the table that ends `make test`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from campaign.runner import Result

COLUMNS = ("class", "plans", "passed", "failed", "missed", "slowest end (s)")


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return a line for each class, and one for all."""
    classes = list(dict.fromkeys(result.kind for result in results))
    parts = [(name, [each for each in results if each.kind == name]) for name in classes]
    return [row(name, part) for name, part in (*parts, ("all", list(results)))]


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(*COLUMNS)
    for row in rows(results):
        table.add_row(*row)
    Console().print(table)


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


def row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    """Return the line of one class."""
    counts = [sum(1 for each in results if each.verdict == verdict) for verdict in ("passed", "failed", "missed")]
    slowest = max((each.settled_after for each in results), default=0.0)
    return (name, f"{len(results):,}", *(f"{count:,}" for count in counts), f"{slowest:.1f}")
