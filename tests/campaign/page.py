"""The page docs/reliability.md: a row for each class of plans, written by the run that lived all of it.

The whole takes hours. Each class may be lived by itself, so every row says which operator lived it, by the digest of
its sources: rows of one digest belong together, and a row of another is to be lived again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from campaign import generate
from campaign.planted import BUGS
from campaign.report import row
from campaign.runner import Result

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"
COLUMNS = (
    *("class", "what befalls the operator", "plans", "passed", "failed", "missed", "slowest end (s)"),
    *("hours lived", "operator"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|---|---|---:|---:|---:|---:|---:|---:|---|"
NUMBERS = slice(2, 6)


def write(results: Mapping[str, Sequence[Result]], operator: str, page: Path = PAGE) -> None:
    """Write the row of each class that was lived whole; the others' stay as they are."""
    kept = {cells[0]: cells for cells in _cells(_section(page, "campaign"))}
    kept |= {name: _row(name, lived, operator) for name, lived in results.items()}
    ordered = [kept[name] for name in generate.CLASSES if name in kept]
    lines = ["| " + " | ".join(cells) + " |" for cells in (*ordered, _all(ordered))]
    _put(page, "campaign", "\n".join([HEAD, *lines]))
    if "chaos" in results:
        _put(page, "chaos", _verdicts(results["chaos"]))


def write_planted(found: Mapping[str, bool], page: Path = PAGE) -> None:
    """Write which of the planted bugs were found."""
    head = "| planted | an operator that | class | by | found |\n|---|---|---|---|---|"
    lines = [
        f"| {bug.name} | {bug.what} | {bug.kind} | `{bug.oracle}` | {'yes' if found[bug.name] else '**no**'} |"
        for bug in BUGS
        if bug.name in found
    ]
    _put(page, "planted", "\n".join([head, *lines]))


def _row(name: str, results: Sequence[Result], operator: str) -> list[str]:
    about = (generate.CLASSES[name].maker.__doc__ or "").splitlines()[0].rstrip(".")
    hours = sum(result.seconds for result in results) / 3600
    return [name, about, *row(name, results)[1:], f"{hours:.1f}", f"`{operator[:8]}`"]


def _all(rows: Sequence[Sequence[str]]) -> list[str]:
    sums = [sum(int(cells[at].replace(",", "")) for cells in rows) for at in range(*NUMBERS.indices(9))]
    slowest, hours = max(float(cells[6]) for cells in rows), sum(float(cells[7]) for cells in rows)
    return ["**all**", "", *(f"{number:,}" for number in sums), f"{slowest:.1f}", f"{hours:.1f}", ""]


def _cells(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for cells in found if cells[0] in generate.CLASSES]


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


def _section(page: Path, name: str) -> str:
    return page.read_text(encoding="utf-8").split(BEGIN.format(name))[1].split(END.format(name))[0]


def _put(page: Path, name: str, section: str) -> None:
    begin, end = BEGIN.format(name), END.format(name)
    before, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(f"{before}{begin}\n{section}\n{end}{rest.split(end)[1]}", encoding="utf-8")
