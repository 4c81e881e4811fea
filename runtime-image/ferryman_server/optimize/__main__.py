"""`python -m ferryman_server.optimize BYTES`: one conversion, in so much memory (0: no limit).

What to convert comes in, the graph goes out.
"""

import os
import pickle
import resource
import sys
from pathlib import Path
from typing import Any

from ferryman_server.load.context import Context
from ferryman_server.optimize import report
from ferryman_server.reason import first_line

_SHORT = (MemoryError, SystemError, KeyboardInterrupt)
"""What is raised where memory ends: by Python, and by native code that forgets to say what happened."""


def main() -> None:
    """Keep the pipe for the graph alone: whatever the artefact prints goes where errors go."""
    limit = int(sys.argv[1])
    if limit:  # rather this process ends by itself than the kernel ends the whole container
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    pipe = os.dup(1)
    os.dup2(2, 1)
    opened, path, context = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the server that started this process
    try:
        told = _done(opened, path, context)
    except BaseException as error:  # noqa: BLE001 - opening an artefact may do anything; the server opens it again
        short = limit and isinstance(error, _SHORT)
        why = (
            "its conversion needs more memory than is left"
            if short
            else f"{type(error).__name__}: {first_line(error)}"
        )
        told = report.write(report.Report(why=why))
    with os.fdopen(pipe, "wb") as out:
        out.write(told)


def _done(opened: Any, path: Path, context: Context) -> bytes:
    """A graph of what `opened` opens; or, of an ONNX graph, which nobody needs to open, one in smaller numbers."""
    if opened is not None:
        from ferryman_server.optimize import convert  # noqa: PLC0415 - each needs much that the other does not

        return convert.convert(path, context, opened)
    from ferryman_server.optimize import reduction  # noqa: PLC0415

    return reduction.convert(path, context)


if __name__ == "__main__":
    main()
