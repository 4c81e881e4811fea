"""A run's results as tables: cells of text, which the terminal and the page then draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.server import environments, peers
from benchmarks.server.cases import Cell
from benchmarks.server.outcome import Results
from benchmarks.server.peers import Role
from benchmarks.server.stats import Summary
from benchmarks.server.targets import Verdict

TOLD = ("kserve", "mlserver", "mlflow", "fastapi", "litserve", "bentoml", "uvicorn", "uvloop", "httptools")
TOLD_TOO = ("onnxruntime", "scikit-learn", "numpy", "grpcio", "msgspec")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a head, and rows; the rows of ours stand out."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    ours: frozenset[int] = frozenset()


def cases(results: Results) -> list[Table]:
    """Return one table a case, the fastest server first."""
    head = ("server", "protocol", "requests/s", "best peer", "ceiling", "p50 ms", "p99 ms", "CPU µs", "± %", "errors")
    tables = []
    for case in results.cases():
        rows = results.rows(case)
        ours = frozenset(at for at, (cell, _) in enumerate(rows) if peers.BY_NAME[cell.peer].role is Role.OURS)
        tables.append(Table(str(case), head, [_row(results, cell, one) for cell, one in rows], ours))
    return tables


def _row(results: Results, cell: Cell, one: Summary) -> tuple[str, ...]:
    return (
        cell.peer,
        str(cell.protocol),
        f"{one.rps:,.0f}",
        _shown(results.times_best(cell), "× {:.2f}"),
        _shown(results.share_of_ceiling(cell), "{:.2f}"),
        f"{one.p50_us / 1000:.2f}",
        f"{one.p99_us / 1000:.2f}",
        f"{one.cpu_us:,.0f}",
        f"{one.spread * 100:.0f}",
        f"{one.errors}",
    )


def footprints(results: Results) -> Table:
    """Return what each server needs to start and to keep."""
    rows: list[tuple[str, ...]] = []
    ours: set[int] = set()
    for (name, model), one in sorted(results.outcome.footprints.items(), key=lambda row: (row[0][1], row[1].idle_mb)):
        if peers.BY_NAME[name].role is Role.OURS:
            ours.add(len(rows))
        rows.append((name, str(model), f"{one.ready_seconds:.1f}", f"{one.idle_mb:.0f}", f"{one.loaded_mb:.0f}"))
    head = ("server", "model", "ready after, s", "idle, MB", "after load, MB")
    return Table("Start and memory", head, rows, frozenset(ours))


def others(results: Results) -> Table:
    """Return what is measured without full load."""
    lone = [
        (
            f"a lone request, {one.rps:,.0f} a second",
            name,
            f"p50 {one.p50_us / 1000:.2f}, p99 {one.p99_us / 1000:.2f}",
        )
        for name, one in results.outcome.lone.items()
    ]
    alive = [
        ("liveness while a 3 s model runs", name, f"slowest {millis:.0f}")
        for name, millis in results.outcome.liveness_ms.items()
    ]
    return Table("Without full load", ("what", "server", "ms"), [*lone, *alive])


def targets(verdicts: list[Verdict]) -> Table:
    """Return each target with what became of it."""
    rows = [(one.what, one.goal, one.measured, one.word) for one in verdicts]
    return Table("What it must reach", ("what", "goal", "measured", ""), rows)


def servers(names: list[str]) -> Table:
    """Return how each server is set up, and what its lock pins."""
    rows = []
    for name in names:
        peer = peers.BY_NAME[name]
        pinned = environments.versions(environments.lock_of(peer.environment).read_text(), *TOLD, *TOLD_TOO)
        if peer.environment == "ferryman":  # the tests' environment has more than the server imports
            pinned = {one: pinned[one] for one in pinned if one not in {"kserve", "fastapi"}}
        rows.append((name, peer.said, ", ".join(f"{package} {version}" for package, version in pinned.items())))
    return Table("Servers", ("server", "setting", "versions"), rows)


def left_out(results: Results) -> Table:
    """Return what was to be measured and was not, with the cause."""
    return Table("Left out", ("what", "why"), [*results.outcome.left_out])


def _shown(value: float | None, shape: str) -> str:
    return "" if value is None else shape.format(value)


def markdown(table: Table) -> str:
    """Draw it as Markdown, ours in bold; numbers stand to the right."""
    lines = [
        f"| {' | '.join(table.head)} |",
        "|" + "|".join("---:" if right(table, at) else "---" for at in range(len(table.head))) + "|",
    ]
    for at, row in enumerate(table.rows):
        cells = [one.replace("|", "\\|").replace("\n", " ") for one in row]
        cells = [f"**{one}**" if one and at in table.ours and where < 3 else one for where, one in enumerate(cells)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def right(table: Table, at: int) -> bool:
    """Tell whether a column is of numbers, which stand to the right."""
    return any(row[at] for row in table.rows) and all(_number(row[at]) for row in table.rows)


def _number(text: str) -> bool:
    return not text or text.lstrip("× -").replace(",", "").replace(".", "", 1).isdigit()
