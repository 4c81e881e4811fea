"""What a campaign came to: a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from campaign.runner import Result

COLUMNS = ("class", "plans", "passed", "failed", "missed", "slowest end (s)")


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return a line for each class, and one for all."""
    classes = list(dict.fromkeys(result.plan.name.split("/", 1)[0] for result in results))
    parts = [(name, [each for each in results if each.plan.name.startswith(f"{name}/")]) for name in classes]
    return [_row(name, part) for name, part in (*parts, ("all", list(results)))]


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(*COLUMNS)
    for row in rows(results):
        table.add_row(*row)
    Console().print(table)


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    counts = [sum(1 for each in results if each.verdict == verdict) for verdict in ("passed", "failed", "missed")]
    slowest = max((each.settled_after for each in results), default=0.0)
    return (name, str(len(results)), *(str(count) for count in counts), f"{slowest:.1f}")
