"""docs/soak.md: what was done, on what, every fifth minute, and the verdict."""

from __future__ import annotations

from benchmarks.server import places
from benchmarks.soak import minutes as measured
from benchmarks.soak.minutes import Minute

PAGE = places.REPOSITORY / "docs" / "soak.md"
EVERY = 5
_WHAT = (
    "`make soak` loads one server on one core with half of what it can do: V1, TensorFlow Serving's columns, V2 as",
    "JSON and as bytes, MLflow's JSON and CSV, and gRPC, one row and a hundred, a bad request among some seventeen",
    "good ones. Each answer over HTTP is compared with what it must be, status and body; those over gRPC by their",
    "bytes. Every minute comes with connections of its own.",
)


def text(facts: dict[str, str], minutes: list[Minute]) -> str:
    """The whole page; it is written by `make soak` and by nobody else."""
    shown = [one for one in minutes if one.number == 1 or one.number % EVERY == 0 or one is minutes[-1]]
    rows = [
        f"| {one.number} | {one.rate:,.0f} | {one.errors} | {one.p99_ms:.2f} | {one.memory_mb:.1f} | {one.cpu:.0%} |"
        for one in shown
    ]
    requests = sum(round(60 * one.rate) for one in minutes)
    return "\n".join(
        (
            "# An hour of load",
            "",
            *_WHAT,
            "",
            f"About {requests:,} requests. **{measured.verdict(minutes).words}.**",
            "",
            "| minute | requests a second | errors | p99, ms | memory, MB | core |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Measured on: {'; '.join(f'{name} {value}' for name, value in facts.items())}.",
            "",
        )
    )
