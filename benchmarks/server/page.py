"""Writes a whole run into docs/benchmarks.md, between marks; what stands around them is written by people."""

from __future__ import annotations

from benchmarks.server import table
from benchmarks.server.outcome import Results
from benchmarks.server.targets import Verdict

BEGIN, END = "<!-- generated: results -->", "<!-- end: results -->"


def body(results: Results, verdicts: list[Verdict]) -> str:
    """Return the generated part."""
    used = list(dict.fromkeys(cell.peer for cell in sorted(results.summaries)))
    facts = "; ".join(f"{name} {value}" for name, value in results.outcome.facts.items())
    parts = [f"Measured on: {facts}."]
    for one in (
        table.targets(verdicts),
        *table.cases(results),
        table.footprints(results),
        table.others(results),
        table.servers(used),
        table.left_out(results),
    ):
        if one.rows:
            parts += [f"### {one.title}", table.markdown(one)]
    return "\n\n".join(parts)


def filled(page: str, generated: str) -> str:
    """Return the page with its generated part replaced."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{rest.split(END)[1]}"
