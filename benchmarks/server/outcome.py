"""What a run found, as values: slices by cell, what each server took to start and to keep, what was left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.server import peers, stats
from benchmarks.server.cases import Case, Cell, Model, Protocol
from benchmarks.server.peers import Role
from benchmarks.server.stats import Slice, Summary

CEILING = "ceiling"


@dataclass(frozen=True, slots=True)
class Footprint:
    """One server with one model."""

    ready_seconds: float
    idle_mb: float
    loaded_mb: float


@dataclass(frozen=True, slots=True)
class Lone:
    """A server at a fifth of what ours can do, so that requests hardly meet."""

    rps: float
    p50_us: float
    p99_us: float


@dataclass(slots=True)
class Outcome:
    """Filled while the run goes."""

    slices: dict[Cell, list[Slice]] = field(default_factory=dict)
    footprints: dict[tuple[str, Model], Footprint] = field(default_factory=dict)
    lone: dict[str, Lone] = field(default_factory=dict)
    liveness_ms: dict[str, float] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def results(self) -> Results:
        """Return the summaries of all cells."""
        every = [one for slices in self.slices.values() for one in slices]
        if not every:
            return Results({}, self)
        usual = stats.usual(every)
        return Results({cell: stats.summary(slices, usual) for cell, slices in self.slices.items()}, self)

    def wandering(self) -> float:
        """Return how far the core's speed spread over the run, as a share."""
        return stats.spread([one.work_seconds for slices in self.slices.values() for one in slices])

    def as_json(self) -> dict[str, Any]:
        """Return every raw figure."""
        return {
            "facts": self.facts,
            "left_out": self.left_out,
            "lone": {name: dataclasses.asdict(one) for name, one in self.lone.items()},
            "liveness_ms": self.liveness_ms,
            "footprints": [
                {"server": name, "model": model, **dataclasses.asdict(one)}
                for (name, model), one in self.footprints.items()
            ],
            "slices": [
                {**dataclasses.asdict(cell), **dataclasses.asdict(one), "round": at}
                for cell, slices in self.slices.items()
                for at, one in enumerate(slices)
            ],
        }


@dataclass(frozen=True, slots=True)
class Results:
    """The summaries, and the comparisons that one asks of them."""

    summaries: dict[Cell, Summary]
    outcome: Outcome

    def get(self, case: Case, peer: str, protocol: Protocol) -> Summary | None:
        """Return one cell's summary, if it was measured and anything came."""
        found = self.summaries.get(Cell(case, peer, protocol))
        return found if found and found.rps else None

    def rivals(self, case: Case, protocol: Protocol) -> list[Summary]:
        """Return what the peers made of a case by the same transport: gRPC is compared with gRPC, HTTP with HTTP."""
        over_grpc = protocol is Protocol.GRPC
        return [
            summary
            for cell, summary in self.summaries.items()
            if cell.case == case
            and peers.BY_NAME[cell.peer].role is Role.PEER
            and (cell.protocol is Protocol.GRPC) == over_grpc
            and summary.rps
        ]

    def times_best(self, cell: Cell) -> float | None:
        """Return the rate as a multiple of the best peer's."""
        own, rivals = self.get(cell.case, cell.peer, cell.protocol), self.rivals(cell.case, cell.protocol)
        return own.rps / max(rival.rps for rival in rivals) if own and rivals else None

    def share_of_ceiling(self, cell: Cell) -> float | None:
        """Return the rate as a share of raw ASGI with ONNX Runtime, which speaks only HTTP."""
        own, ceiling = self.get(cell.case, cell.peer, cell.protocol), self.get(cell.case, CEILING, Protocol.OWN)
        return own.rps / ceiling.rps if own and ceiling and cell.protocol is not Protocol.GRPC else None

    def cases(self) -> list[Case]:
        """Return the measured cases, in the order of the plan."""
        return list(dict.fromkeys(sorted(cell.case for cell in self.summaries)))

    def rows(self, case: Case) -> list[tuple[Cell, Summary]]:
        """Return a case's cells, the fastest first."""
        rows: Iterable[tuple[Cell, Summary]] = ((c, s) for c, s in self.summaries.items() if c.case == case)
        return sorted(rows, key=lambda row: -row[1].rps)
