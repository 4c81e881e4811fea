"""How many threads native code may use: the pod's CPU limit, not the node's cores.

A library that starts 64 threads in a one-CPU cgroup is throttled for most of each period; XGBoost
then answers in hundreds of milliseconds instead of one.
"""

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_V1_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


def granted(v2: Path = _V2, quota: Path = _V1_QUOTA, period: Path = _V1_PERIOD) -> float | None:
    """The CPU limit, in cores; None where there is none: then the cores belong to everybody on the machine."""
    try:
        limit, per = v2.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            limit, per = quota.read_text(encoding="ascii").strip(), period.read_text(encoding="ascii").strip()
        except OSError:
            return None
    if limit == "max" or int(limit) <= 0:
        return None
    return min(len(os.sched_getaffinity(0)), int(limit) / int(per))


def allowed(v2: Path = _V2, quota: Path = _V1_QUOTA, period: Path = _V1_PERIOD) -> int:
    """Whole CPUs that this process may keep busy, at least one."""
    return max(1, math.ceil(granted(v2, quota, period) or len(os.sched_getaffinity(0))))


def limit(env: MutableMapping[str, str], count: int) -> None:
    """Tell the native libraries, before any of them is imported; what the user set stays."""
    for variable in _VARIABLES:
        env.setdefault(variable, str(count))
