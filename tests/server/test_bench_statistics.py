"""The benchmark's slices become one figure, corrected for the core's speed."""

from benchmarks.server import cases, stats
from benchmarks.server.cases import IRIS_1, IRIS_8, Cell, Protocol
from benchmarks.server.load import Measured
from benchmarks.server.stats import Slice, Summary


def slice_of(requests: int, *, errors: int = 0, p50: float = 1000.0, cpu: float = 1.0, work: float = 0.01) -> Slice:
    return Slice(Measured(requests, 2.0, p50, p50 * 4, errors), cpu, work)


def test_a_summary_is_the_median_of_the_rounds():
    slices = [slice_of(1000, p50=900.0), slice_of(2000, p50=500.0), slice_of(9000, p50=100.0, cpu=9.0)]

    assert stats.summary(slices, 0.01) == Summary(
        rps=1000.0, p50_us=500.0, p99_us=2000.0, cpu_us=1000.0, requests=12000, errors=0, spread=1.0
    )


def test_a_slice_on_a_slow_core_counts_as_on_the_usual_one():
    slow = [slice_of(500, p50=2000.0, cpu=1.0, work=0.02)]

    assert stats.summary(slow, 0.01) == Summary(
        rps=500.0, p50_us=1000.0, p99_us=4000.0, cpu_us=1000.0, requests=500, errors=0, spread=0.0
    )


def test_the_usual_speed_is_that_of_the_middle_slice():
    assert stats.usual([slice_of(1, work=work) for work in (0.01, 0.5, 0.02)]) == 0.02


def test_errors_are_no_requests_answered():
    assert stats.summary([slice_of(1000, errors=400)], 0.01).rps == 300.0


def test_a_cell_that_only_errs_has_no_rate_but_says_how_often_it_erred():
    assert stats.summary([slice_of(7, errors=7)], 0.01) == Summary(0.0, 0.0, 0.0, 0.0, 7, 7, 0.0)


def test_the_spread_is_half_the_middle_half_over_the_median():
    assert stats.spread([80.0, 90.0, 100.0, 110.0, 120.0]) == 0.1
    assert stats.spread([5.0]) == 0.0


def test_each_round_has_every_cell_once_in_an_order_of_its_own():
    cells = [Cell(case, peer, Protocol.V1) for case in (IRIS_1, IRIS_8) for peer in ("a", "b", "c")]

    rounds = cases.rounds(cells, 4, seed=20)

    assert [sorted(order) for order in rounds] == [sorted(cells)] * 4
    assert len({tuple(order) for order in rounds}) == 4
    assert rounds == cases.rounds(cells, 4, seed=20)
