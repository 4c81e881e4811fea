"""`python -m ferryman_server`: what the model container runs; and, with options, what a person runs.

Without options everything comes from the environment.
"""

import os
import sys
from pathlib import Path

from ferryman_server import log, memory, reason, threads
from ferryman_server import settings as contract
from ferryman_server.workers import plan

_GPU = Path("/dev/nvidiactl")


def main() -> int:
    """Do what the options say, or what the environment says where there are none."""
    if len(sys.argv) > 1:
        from ferryman_server.command import run  # noqa: PLC0415 - a pod has no need of it

        return run.main(sys.argv[1:])
    return serve()


def serve() -> int:
    """Read the contract, limit the threads before anything native is imported, and live, alone or as several."""
    try:
        settings = contract.from_environment(os.environ)
    except reason.FatalError as error:
        log.line(str(error))
        reason.publish(error, Path(os.environ.get("FERRYMAN_TERMINATION_LOG") or "/dev/termination-log"))
        return 1
    cores = threads.allowed(settings.cpu_request)
    wish = plan.wish(settings.workers, threads.granted(), cores, gpu=_GPU.exists())
    if wish.workers > 1:
        from ferryman_server.workers import parent  # noqa: PLC0415 - who serves alone has no need of it

        return parent.live(settings, wish, memory.room)
    threads.limit(os.environ, cores)
    from ferryman_server import life  # noqa: PLC0415 - after the thread limits, because it imports NumPy

    return life.live(settings)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a model stuck in native code must not keep a finished server from leaving.
    os._exit(code)
