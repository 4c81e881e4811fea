"""Adds up what each tier's pytest wrote: `make test` ends with this table and one closing line."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

COLUMNS = ("tests", "failures", "errors", "skipped")


def main(folder: Path) -> int:
    """Print the counts of every report in the folder; return 1 if anything failed."""
    table = Table("tier", *("passed", "failed", "skipped", "seconds"))
    passed = failed = skipped = 0
    for report in sorted(folder.glob("*.xml"), key=lambda path: path.stat().st_mtime):
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        for suite in suites:
            tests, failures, errors, skips = (int(suite.get(column, "0")) for column in COLUMNS)
            bad = failures + errors
            table.add_row(
                report.stem, f"{tests - bad - skips}", f"{bad}", f"{skips}", f"{float(suite.get('time', 0)):.0f}"
            )
            passed, failed, skipped = passed + tests - bad - skips, failed + bad, skipped + skips
    Console().print(table)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
