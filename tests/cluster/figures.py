"""What a run on the cluster measured, kept for people: each test's requests, and how fast traffic moved.

The two lanes write side by side, so each measurement is one line of `.reports/cluster.jsonl`. `make figures` writes
what the last run measured into docs/proof.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from statistics import median

from localcluster import paths

FILE = paths.REPOSITORY / ".reports" / "cluster.jsonl"
PAGE = paths.REPOSITORY / "docs" / "proof.md"
BEGIN, END = "<!-- generated: cluster -->", "<!-- end: cluster -->"


def note(what: str, seconds: float) -> float:
    """Write one measurement down and return it."""
    _add({"what": what, "seconds": round(seconds, 3)})
    print(f"{what}: {seconds * 1000:.0f} ms")
    return seconds


def asked(test: str, requests: int, failed: int) -> None:
    """Write down how many requests a test's client made, and how many of them failed."""
    _add({"test": test, "requests": requests, "failed": failed})


def page(lines: Iterable[str]) -> str:
    """Return the tables of what was measured, for docs/proof.md."""
    noted = [json.loads(line) for line in lines]
    tests = [each for each in noted if "test" in each]
    times: dict[str, list[float]] = {}
    for each in noted:
        if "what" in each:
            times.setdefault(each["what"], []).append(each["seconds"])
    requests, failed = (sum(each[key] for each in tests) for key in ("requests", "failed"))
    rows = [
        f"| {what} | {len(found)} | {median(found):.2f} | {max(found):.2f} |" for what, found in sorted(times.items())
    ]
    return "\n".join(
        [
            f"{len(tests)} journeys with a client at 50 requests a second: {requests:,} requests, {failed:,} failed.",
            "",
            "| measured in the clients' answers, in seconds | times | median | worst |",
            "|---|---:|---:|---:|",
            *rows,
        ]
    )


def _add(measurement: dict[str, str | int | float]) -> None:
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(measurement, sort_keys=True) + "\n")  # one short write: lines of two lanes do not mix


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    text = page(FILE.read_text(encoding="utf-8").splitlines())
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
