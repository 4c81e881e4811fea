"""A server as a process whose limits are told to it: `narrow.py LIMITS`, one of those below."""

import os
import sys

from ferryman_server import settings
from ferryman_server.memory import Room
from ferryman_server.workers import parent, plan

_MIB = 1 << 20
_LIMITS = {
    "two workers in 128 MiB": (plan.Wish(2, 2, asked=True), Room(128 * _MIB, 100 * _MIB)),
    "two cores and 4 GiB": (plan.Wish(2, 2), Room(4096 * _MIB, 4000 * _MIB)),
}

if __name__ == "__main__":
    plan._BUSY = 0.01  # a machine that runs tests may have no core to give
    wish, room = _LIMITS[sys.argv[1]]
    os._exit(parent.live(settings.from_environment(os.environ), wish, lambda: room))
