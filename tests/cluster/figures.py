"""What a run measured, kept for people: printed beside the tests, and written to `.reports/latency.json`."""

from __future__ import annotations

import fcntl
import json
from statistics import median

from localcluster import paths

FILE = paths.REPOSITORY / ".reports" / "latency.json"


def note(what: str, seconds: float) -> float:
    """Write one measurement down and return it; each thing that is measured keeps all of its measurements."""
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # both lanes measure
        file.seek(0)
        known = json.loads(file.read() or "{}")
        values = [*known.get(what, {}).get("seconds", []), round(seconds, 3)]
        known[what] = {"median": round(median(values), 3), "worst": max(values), "seconds": values}
        file.truncate(0)
        file.write(json.dumps(known, indent=1, sort_keys=True) + "\n")
    print(f"{what}: {seconds * 1000:.0f} ms")
    return seconds
