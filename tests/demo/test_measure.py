"""What a shadow got, held against what was asked for: the counters are read in calls that take their time."""

import pytest

from ferrydemo import measure
from ferrydemo.answer import Window
from ferrydemo.measure import Mirrored


def mirrored(requests: int, most_requests: int, copies: int) -> Mirrored:
    return Mirrored(requests, most_requests, copies, Window(seconds=5.0, requests=requests))


@pytest.mark.parametrize("copies", [245, 250, 262])
def test_what_was_sent_while_a_counter_was_read_may_be_copied_or_not(copies: int):
    assert measure.mirror_fits(mirrored(245, 262, copies), 100)


@pytest.mark.parametrize("copies", [0, 225, 234, 273, 500])
def test_a_copy_that_is_missing_or_made_twice_is_found(copies: int):
    assert not measure.mirror_fits(mirrored(245, 262, copies), 100)


@pytest.mark.parametrize(("copies", "fits"), [(0, False), (75, False), (125, True), (175, False), (250, False)])
def test_half_of_the_requests_is_told_from_none_and_all(copies: int, fits: bool):
    assert measure.mirror_fits(mirrored(245, 262, copies), 50) is fits


def test_the_measured_share_is_of_the_requests_between_the_readings():
    assert mirrored(240, 260, 250).percent == 100.0
    assert str(mirrored(240, 260, 250)) == "250 copies of 240 to 260 requests"
