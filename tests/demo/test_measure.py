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


class World:
    """A clock of its own, clients that send 50 requests a second, and a counter that is slower to read each time."""

    def __init__(self, copied: float) -> None:
        self.now, self.copied, self.readings = 0.0, copied, 0

    def mark(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def predictions(self, *_: object) -> int:
        counted, self.readings = int(self.now * 50 * self.copied), self.readings + 1
        self.now += self.readings * 0.5
        return counted

    def window(self, since: float, until: float) -> Window:
        return Window(seconds=until - since, requests=int((until - since) * 50))


@pytest.mark.parametrize(("copied", "fits"), [(1.0, True), (0.8, False), (1.5, False)])
def test_a_counter_that_is_slow_to_read_makes_no_shadow_look_short_of_copies(
    copied: float, fits: bool, monkeypatch: pytest.MonkeyPatch
):
    world = World(copied)
    monkeypatch.setattr(measure, "predictions", world.predictions)
    monkeypatch.setattr(measure.time, "sleep", world.sleep)

    found = measure.mirrored(None, world, "fraud-1", 5)  # type: ignore[arg-type]

    assert measure.mirror_fits(found, 100) is fits, str(found)
