"""The time that decisions are made by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ferryman.clock import Steady

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_clock_that_is_set_moves_nothing() -> None:
    wall, passed = [NOON], [1000.0]
    now = Steady(wall=lambda: wall[0], monotonic=lambda: passed[0])

    wall[0] = NOON - timedelta(days=1)
    passed[0] += 90.0

    assert now() == NOON + timedelta(seconds=90)


def test_it_is_the_wall_clock_in_utc_to_begin_with() -> None:
    first, second = Steady(), datetime.now(UTC)

    assert abs(first() - second) < timedelta(seconds=5)
    assert first().tzinfo is UTC
    assert first() <= first()
