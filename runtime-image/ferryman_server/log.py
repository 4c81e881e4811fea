"""One line per thing that happened, on stderr; never one line per request."""

import sys
import time


def line(message: str) -> None:
    """Say one thing, with the time, unbuffered."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sys.stderr.write(f"{now} {message}\n")
    sys.stderr.flush()
