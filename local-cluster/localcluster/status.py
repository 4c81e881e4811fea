"""Tells how the cluster is: each component, whether it runs, and what it takes of the machine."""

import dataclasses
import os
import pathlib
import time

import rich.table

from localcluster import access, node, paths, process, source

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """One component's processes, memory and processor time."""

    name: str
    pids: tuple[int, ...]
    megabytes: float
    cores: float


def usages(seconds: float) -> list[Usage]:
    """What each component takes, its processor share measured over so many seconds."""
    found: dict[str, list[int]] = {}
    for one in process.running(paths.state()):
        shim = one.name == "containerd" and one.program != "containerd"
        found.setdefault("containerd shims" if shim else one.name, []).append(one.pid)
    before = {name: sum(map(_ticks, pids)) for name, pids in found.items()}
    began = time.monotonic()
    time.sleep(seconds)  # the length of the measurement
    spent = time.monotonic() - began
    return [
        Usage(
            name=name,
            pids=tuple(sorted(pids)),
            megabytes=sum(map(_kilobytes, pids)) / 1024,
            cores=(sum(map(_ticks, pids)) - before[name]) / _TICKS / spent,
        )
        for name, pids in sorted(found.items())
    ]


def table(rows: list[Usage]) -> rich.table.Table:
    """The components as a person reads them; one that should run and does not is shown as missing."""
    drawn = rich.table.Table(box=None, pad_edge=False)
    for title in ("component", "state", "pid", "memory", "cores"):
        drawn.add_column(title, justify="right" if title in ("memory", "cores") else "left")
    for row in rows:
        pid = str(row.pids[0]) if len(row.pids) == 1 else f"{len(row.pids)} processes"
        drawn.add_row(row.name, "[green]runs[/]", pid, f"{row.megabytes:.0f} MB", f"{row.cores:.2f}")
    for name in missing(rows):
        drawn.add_row(name, "[red]missing[/]", "", "", "")
    total = (sum(r.megabytes for r in rows), sum(r.cores for r in rows))
    drawn.add_row("[bold]all[/]", "", "", f"[bold]{total[0]:.0f} MB[/]", f"[bold]{total[1]:.2f}[/]")
    return drawn


def missing(rows: list[Usage]) -> list[str]:
    """Components that should run and do not."""
    alive = {row.name for row in rows}
    return [name for name in source.DAEMONS if name not in alive]


def node_line() -> str:
    """The node and its pods in one line."""
    client = access.Client(paths.kubeconfig())
    pods = (client.get("/api/v1/pods") or {}).get("items", [])
    running = sum(1 for pod in pods if pod["status"].get("phase") == "Running")
    ready = "Ready" if node.is_ready(client) else "not Ready"
    return f"node {node.NAME}: {ready}, {running} of {len(pods)} pods running"


def _ticks(pid: int) -> int:
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _kilobytes(pid: int) -> int:
    """Memory without what is shared with others counted twice."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
