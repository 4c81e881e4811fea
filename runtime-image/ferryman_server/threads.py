"""How many threads native code may use: the pod's CPU limit, or else its request, not the node's cores.

A library that starts 64 threads in a one-CPU cgroup is throttled for most of each period; XGBoost
then answers in hundreds of milliseconds instead of one. Where nothing throttles, the other pods of the node do.
"""

import math
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_V1_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
_WEIGHT = Path("/sys/fs/cgroup/cpu.weight")
_UNTOLD = 100
"""The kernel's own weight; the kubelet always says one."""
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
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


def requested(weight: Path = _WEIGHT, env: Mapping[str, str] = os.environ) -> float | None:
    """The CPU request, in cores, as far as cgroup v2's weight tells it; None where nobody made one.

    Runtimes turned shares (1024 a core) into weights by one formula until 2025, and by another since, which gives
    less than 2.6 times as much for the same request. By the first, this is the request or more, and never less.
    """
    try:
        found = int(weight.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if found == _UNTOLD and _IN_KUBERNETES not in env:
        return None
    return (2 + (found - 1) * 262142 / 9999) / 1024


def allowed(
    request: float = 0.0,
    *,
    v2: Path = _V2,
    quota: Path = _V1_QUOTA,
    period: Path = _V1_PERIOD,
    weight: Path = _WEIGHT,
) -> int:
    """Whole CPUs that this process may keep busy, at least one; `request` where somebody said it, in cores."""
    cores = len(os.sched_getaffinity(0))
    found = granted(v2, quota, period) or request or requested(weight) or cores
    return max(1, min(cores, math.ceil(found)))


def limit(env: MutableMapping[str, str], count: int) -> None:
    """Tell the native libraries, before any of them is imported; what the user set stays."""
    for variable in _VARIABLES:
        env.setdefault(variable, str(count))
