"""The benchmark's tables, its targets and its page."""

from benchmarks.server import page, places, table, targets
from benchmarks.server.cases import IRIS_8, Cell, Model, Protocol
from benchmarks.server.load import Measured
from benchmarks.server.outcome import Footprint, Lone, Outcome
from benchmarks.server.stats import Slice


def world() -> Outcome:
    """Ours makes 12 times what the best peer makes over HTTP, and 3 times over gRPC."""
    outcome = Outcome(facts={"processor": "a fast one, 2 cores"})

    def measured(peer: str, protocol: Protocol, rps: int, p99: float, errors: int = 0) -> None:
        one = Slice(Measured(rps * 2, 2.0, p99 / 4, p99, errors), cpu_seconds=0.5, work_seconds=0.01)
        outcome.slices[Cell(IRIS_8, peer, protocol)] = [one, one]

    measured("ferryman", Protocol.V1, 12_000, 1000.0)
    measured("ferryman", Protocol.GRPC, 3_000, 2000.0)
    measured("kserve", Protocol.V1, 900, 9000.0)
    measured("kserve", Protocol.GRPC, 1_000, 9000.0)
    measured("fastapi", Protocol.OWN, 1_000, 8000.0, errors=2)
    measured("ceiling", Protocol.OWN, 20_000, 700.0)
    outcome.footprints["ferryman", Model.IRIS] = Footprint(2.5, 140.4, 150.0)
    outcome.footprints["kserve", Model.IRIS] = Footprint(6.0, 225.0, 226.0)
    outcome.lone["ferryman"] = Lone(2400.0, 450.0, 2200.0)
    outcome.lone["echo"] = Lone(2400.0, 200.0, 1000.0)
    outcome.liveness_ms["ferryman"] = 12.3
    return outcome


GOLDEN = """\
| server | protocol | requests/s | best peer | ceiling | p50 ms | p99 ms | CPU µs | ± % | errors |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
| ceiling | own JSON | 20,000 | × 20.02 | 1.00 | 0.17 | 0.70 | 12 | 0 | 0 |
| **ferryman** | **V1 JSON** | **12,000** | × 12.01 | 0.60 | 0.25 | 1.00 | 21 | 0 | 0 |
| **ferryman** | **V2 gRPC** | **3,000** | × 3.00 |  | 0.50 | 2.00 | 83 | 0 | 0 |
| kserve | V2 gRPC | 1,000 | × 1.00 |  | 2.25 | 9.00 | 250 | 0 | 0 |
| fastapi | own JSON | 999 | × 1.00 | 0.05 | 2.00 | 8.00 | 250 | 0 | 4 |
| kserve | V1 JSON | 900 | × 0.90 | 0.04 | 2.25 | 9.00 | 278 | 0 | 0 |"""


def test_a_case_is_a_table_with_the_fastest_first_and_ours_in_bold():
    (only,) = table.cases(world().results())

    assert only.title == "iris, 1 row, c=8"
    assert table.markdown(only) == GOLDEN


def test_memory_stands_by_model_and_the_smallest_first():
    assert table.markdown(table.footprints(world().results())) == (
        "| server | model | ready after, s | idle, MB | after load, MB |\n"
        "|---|---|---:|---:|---:|\n"
        "| **ferryman** | **iris** | **2.5** | 140 | 150 |\n"
        "| kserve | iris | 6.0 | 225 | 226 |"
    )


def test_targets_are_judged_by_what_was_measured_for_good_or_ill():
    verdicts = targets.judged(world().results())

    assert [(one.what, one.goal, one.measured, one.word) for one in verdicts if one.reached is not None] == [
        ("iris, 1 row, c=8, V1 JSON", "times the best peer ≥ 12", "12", "reached"),
        ("iris, 1 row, c=8, V1 JSON", "of the ceiling ≥ 0.65", "0.60", "not reached"),
        ("iris, 1 row, c=8, V1 JSON", "p99 of the best peer's ≤ 0.167", "0.12", "reached"),
        ("iris, 1 row, c=8, V2 gRPC", "times the best peer ≥ 4", "3", "not reached"),
        ("a lone request at 20 % load", "added to an echo's p50, ms < 0.3", "0.25", "reached"),
        ("a lone request at 20 % load", "added to an echo's p99, ms < 1", "1.20", "not reached"),
        ("iris, idle", "memory, MB < 150", "140", "reached"),
        ("iris", "ready after start, s < 3", "2.5", "reached"),
        ("liveness while a 3 s model runs", "slowest, ms < 50", "12", "reached"),
    ]


def test_what_was_not_measured_is_no_failure_and_no_success():
    verdicts = targets.judged(Outcome().results())

    assert {one.word for one in verdicts} == {"not measured"}


def test_a_run_replaces_only_what_is_generated_in_the_page():
    before = f"# Head\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nfoot\n"
    results = world().results()

    after = page.filled(before, page.body(results, targets.judged(results)))

    assert after.startswith(
        f"# Head\n\n{page.BEGIN}\n\nMeasured on: processor a fast one, 2 cores.\n\n### What it must"
    )
    assert after.endswith(f"{page.END}\n\nfoot\n")
    assert "old" not in after
    assert GOLDEN in after


def test_the_page_has_a_place_for_the_results():
    text = places.PAGE.read_text(encoding="utf-8")

    assert text.count(page.BEGIN) == text.count(page.END) == 1


def test_every_raw_figure_is_kept():
    kept = world().as_json()

    assert len(kept["slices"]) == 12
    assert kept["slices"][0] == {
        "case": {"model": "iris", "rows": 1, "connections": 8},
        "peer": "ferryman",
        "protocol": "V1 JSON",
        "measured": {"requests": 24000, "seconds": 2.0, "p50_us": 250.0, "p99_us": 1000.0, "errors": 0},
        "cpu_seconds": 0.5,
        "work_seconds": 0.01,
        "round": 0,
    }
