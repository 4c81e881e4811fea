"""What a campaign has lived so far, in a file: a whole one takes hours, and goes on where it was cut off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from campaign.faults import Plan
from campaign.planted import SOUND
from campaign.runner import Result


class Diary:
    """One line for each plan, under the operator's own digest: what another operator lived does not count."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.operator = digest(SOUND)

    def begin(self) -> None:
        """Forget what stands there."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text("")

    def note(self, result: Result) -> None:
        """Add what a plan came to."""
        self._add(
            {
                "plan": result.plan.model_dump(mode="json", exclude_none=True),
                "complaints": result.complaints,
                "settled_after": result.settled_after,
                "seconds": result.seconds,
                "idle": result.idle,
            }
        )

    def note_planted(self, name: str, *, found: bool) -> None:
        """Add whether a planted bug was found."""
        self._add({"planted": name, "found": found})

    def results(self) -> list[Result]:
        """Return what this operator has lived."""
        return [
            Result(
                Plan.model_validate(line["plan"]),
                line["complaints"],
                line["settled_after"],
                line["seconds"],
                line["idle"],
            )
            for line in self._lines()
            if "plan" in line
        ]

    def planted(self) -> dict[str, bool]:
        """Return which planted bugs were found, and which were not."""
        return {line["planted"]: line["found"] for line in self._lines() if "planted" in line}

    def _add(self, line: dict[str, object]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps({"operator": self.operator, **line}) + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self._file.exists():
            lines = (json.loads(line) for line in self._file.read_text().splitlines())
            yield from (line for line in lines if line["operator"] == self.operator)


def digest(operator: Path) -> str:
    """Return a digest of the operator's sources."""
    found = hashlib.sha256()
    for file in sorted(operator.rglob("*.py")):
        found.update(file.relative_to(operator).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()
