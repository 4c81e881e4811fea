"""What the server must reach, as a table; each row is judged by what was measured and says so, for good or ill."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.server.cases import (
    FOREST_1,
    FOREST_100,
    IRIS_1,
    IRIS_8,
    IRIS_32,
    PYFUNC_1,
    PYFUNC_100,
    Case,
    Cell,
    Model,
    Protocol,
)
from benchmarks.server.outcome import Results
from benchmarks.server.stats import Summary

OURS, NATIVE = "ferryman", "ferryman-off"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target and what became of it."""

    what: str
    goal: str
    measured: str
    reached: bool | None
    """None where it was not measured."""

    @property
    def word(self) -> str:
        """For a table."""
        return {True: "reached", False: "not reached", None: "not measured"}[self.reached]


def judged(results: Results) -> list[Verdict]:
    """Return every target's verdict, in the order of importance."""
    return [
        *(one for case in (IRIS_8, IRIS_32) for one in _json(results, case, 12, 1 / 6)),
        *(one for one in _json(results, FOREST_1, 17, None)),
        _times(results, FOREST_100, Protocol.V2_BINARY, 2.5),
        *(_over_fastapi(results, protocol) for protocol in (Protocol.V1, Protocol.V2)),
        *(_times(results, case, Protocol.GRPC, 4) for case in (IRIS_1, IRIS_8, IRIS_32)),
        *_lone(results),
        *_footprint(results),
        _liveness(results),
        *(one for case in (PYFUNC_1, PYFUNC_100) for one in _pyfunc(results, case)),
        _pyfunc_memory(results),
    ]


def _json(results: Results, case: Case, times: float, tail: float | None) -> Iterator[Verdict]:
    for protocol in (Protocol.V1, Protocol.V2):
        yield _times(results, case, protocol, times)
        share = results.share_of_ceiling(Cell(case, OURS, protocol))
        yield _verdict(f"{case}, {protocol}", "of the ceiling >=", 0.65, share, "{:.2f}")
        if tail:
            own, rivals = results.get(case, OURS, protocol), results.rivals(case, protocol)
            ratio = own.p99_us / min(rival.p99_us for rival in rivals) if own and rivals else None
            yield _verdict(f"{case}, {protocol}", "p99 of the best peer's <=", tail, ratio, "{:.2f}")


def _times(results: Results, case: Case, protocol: Protocol, times: float) -> Verdict:
    measured = results.times_best(Cell(case, OURS, protocol))
    return _verdict(f"{case}, {protocol}", "times the best peer >=", times, measured, "{:.3g}")


def _over_fastapi(results: Results, protocol: Protocol) -> Verdict:
    own, fastapi = results.get(IRIS_8, NATIVE, protocol), results.get(IRIS_8, "fastapi", Protocol.OWN)
    measured = own.rps / fastapi.rps if own and fastapi else None
    return _verdict(f"{IRIS_8}, {protocol}, optimize off", "times FastAPI >=", 1.5, measured, "{:.2f}")


def _lone(results: Results) -> Iterator[Verdict]:
    """What it adds to HTTP itself, as an echo under the same load shows that: the rest is the machine's."""
    own, echo = results.outcome.lone.get(OURS), results.outcome.lone.get("echo")
    added = {"p50": own.p50_us - echo.p50_us, "p99": own.p99_us - echo.p99_us} if own and echo else {}
    for name, limit in (("p50", 0.3), ("p99", 1.0)):
        millis = added[name] / 1000 if added else None
        yield _verdict("a lone request at 20 % load", f"added to an echo's {name}, ms <", limit, millis, "{:.2f}")


def _footprint(results: Results) -> Iterator[Verdict]:
    own = results.outcome.footprints.get((OURS, Model.IRIS))
    yield _verdict("iris, idle", "memory, MB <", 150, own.idle_mb if own else None, "{:.0f}")
    yield _verdict("iris", "ready after start, s <", 3, own.ready_seconds if own else None, "{:.1f}")


def _liveness(results: Results) -> Verdict:
    slowest = results.outcome.liveness_ms.get(OURS)
    return _verdict("liveness while a 3 s model runs", "slowest, ms <", 50, slowest, "{:.0f}")


MEASURES: dict[str, Callable[[Summary], float]] = {
    "requests/s of mlflow's >=": lambda one: one.rps,
    "p50 of mlflow's <=": lambda one: one.p50_us,
    "p99 of mlflow's <=": lambda one: one.p99_us,
    "CPU of mlflow's <=": lambda one: one.cpu_us,
}


def _pyfunc(results: Results, case: Case) -> Iterator[Verdict]:
    own = results.get(case, OURS, Protocol.INVOCATIONS)
    other = results.get(case, "mlflow", Protocol.INVOCATIONS)
    for goal, measure in MEASURES.items():
        ratio = measure(own) / measure(other) if own and other else None
        yield _verdict(str(case), goal, 1, ratio, "{:.2f}")


def _pyfunc_memory(results: Results) -> Verdict:
    own, other = (results.outcome.footprints.get((name, Model.PYFUNC)) for name in (OURS, "mlflow"))
    ratio = own.loaded_mb / other.loaded_mb if own and other else None
    return _verdict("pyfunc, after load", "memory of mlflow's <=", 1, ratio, "{:.2f}")


COMPARISONS: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, "<": operator.lt}
SIGNS = {">=": "≥", "<=": "≤", "<": "<"}


def _verdict(what: str, goal: str, limit: float, measured: float | None, shown: str) -> Verdict:
    claim, _, comparison = goal.rpartition(" ")
    asked = f"{claim} {SIGNS[comparison]} {limit:.3g}"
    if measured is None:
        return Verdict(what, asked, "-", None)
    return Verdict(what, asked, shown.format(measured), COMPARISONS[comparison](measured, limit))
