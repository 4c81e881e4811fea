"""What a stretch of answers adds up to, and which splits an honest percentage would give."""

from __future__ import annotations

import pytest

from ferrydemo import answer
from ferrydemo.answer import Answer


def good(number: int, revision: str) -> Answer:
    return Answer(number, at=number / 50, seconds=0.004, status=200, revision=revision, fault="")


def answers(stable: int, candidate: int) -> list[Answer]:
    return [good(number, "stable" if number < stable else "candidate") for number in range(stable + candidate)]


def test_a_line_of_the_record_reads_as_it_was_written():
    failed = Answer(7, at=12.5, seconds=0.25, status=503, revision="", fault="HTTP 503: no\thealthy\nupstream")

    read = Answer.read(failed.line())

    assert read == Answer(7, at=12.5, seconds=0.25, status=503, revision="", fault="HTTP 503: no healthy upstream")


def test_failures_are_counted_apart_from_the_shares():
    failed = Answer(3, at=0.06, seconds=5.0, status=0, revision="", fault="TimeoutError")

    window = answer.window([good(0, "a"), good(1, "a"), good(2, "b"), failed], seconds=0.08)

    assert (window.requests, window.failures, window.by_revision) == (4, (failed,), {"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("percent", "candidate", "fits"),
    [(10, 50, True), (10, 72, True), (10, 80, False), (10, 20, False), (50, 250, True), (50, 300, False)],
)
def test_a_split_of_500_requests_fits_within_chance(percent: int, candidate: int, fits: bool):
    window = answer.window(answers(500 - candidate, candidate), seconds=10)

    assert window.fits("candidate", percent) is fits


@pytest.mark.parametrize("percent", [0, 100])
def test_nothing_and_everything_leave_no_room_for_chance(percent: int):
    window = answer.window(answers(499, 1) if percent == 0 else answers(1, 499), seconds=10)

    assert not window.fits("candidate", percent)


def test_silence_fits_no_split():
    assert not answer.window([], seconds=10).fits("stable", 0)
