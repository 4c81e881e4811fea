"""One line per thing that happened, on stderr; never one line per request."""

import sys
import time

speaker = ""
"""Before every line of this process, where several write to one log."""


def line(message: str) -> None:
    """Say one thing, with the time, unbuffered."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sys.stderr.write(f"{now} {speaker}{message}\n")
    sys.stderr.flush()
