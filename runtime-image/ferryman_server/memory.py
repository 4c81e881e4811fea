"""How much memory is left below the pod's limit: over it, the kernel ends every process of the container at once."""

from dataclasses import dataclass
from pathlib import Path

_V2 = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory.stat"))
_V1_ROOT = Path("/sys/fs/cgroup/memory")
_V1 = tuple(_V1_ROOT / name for name in ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"))
_NO_LIMIT = 1 << 60  # cgroup v1 writes a number near 2**63 where there is none
_MACHINE = Path("/proc/meminfo")
_KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: the limit, and what is left below it."""

    limit: int
    left: int


def left(files: tuple[tuple[Path, ...], ...] = (_V2, _V1)) -> int | None:
    """Bytes; None where there is no limit, or none that can be read."""
    found = _limited(files)
    return found.left if found else None


def room(files: tuple[tuple[Path, ...], ...] = (_V2, _V1), machine: Path = _MACHINE) -> Room:
    """The pod's limit, or the machine's where it is less: there is always one."""
    told = dict(line.split(":", 1) for line in machine.read_text(encoding="ascii").splitlines())
    total, free = (int(told[name].split()[0]) * _KIBIBYTE for name in ("MemTotal", "MemAvailable"))
    found = _limited(files)
    return Room(min(found.limit, total), min(found.left, free)) if found else Room(total, free)


def _limited(files: tuple[tuple[Path, ...], ...]) -> Room | None:
    for limit, usage, stat in files:
        try:
            allowed, used = limit.read_text(encoding="ascii").strip(), int(usage.read_text(encoding="ascii"))
            told = dict(line.split() for line in stat.read_text(encoding="ascii").splitlines())
        except (OSError, ValueError):
            continue
        if allowed == "max" or int(allowed) >= _NO_LIMIT:
            return None
        # Pages of files that nobody has used lately go before anybody is killed.
        idle = int(told.get("total_inactive_file") or told.get("inactive_file") or 0)
        return Room(int(allowed), int(allowed) - used + idle)
    return None
