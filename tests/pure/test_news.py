"""News of models is passed on at once, and a busy alias is followed now and then."""

from __future__ import annotations

from collections.abc import Callable

from ferryman.cluster.queue import Key
from ferryman.followers import Followers
from ferryman.news import FIRST_CALM, LAST_CALM, News


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((self.now + seconds, act))

    def goes_on(self, seconds: float) -> None:
        end = self.now + seconds
        while ready := [each for each in self._due if each[0] <= end]:
            at, act = min(ready, key=lambda each: each[0])
            self._due.remove((at, act))
            self.now = at
            act()
        self.now = end


def told() -> tuple[News, Clock, list[tuple[float, str]]]:
    clock, asked = Clock(), list[tuple[float, str]]()
    return News(lambda model: asked.append((clock.now, model)), clock.later), clock, asked


def test_the_first_news_is_passed_on_at_once() -> None:
    news, _, asked = told()

    news.heard("fraud")

    assert asked == [(0.0, "fraud")]


def test_an_alias_that_is_moved_a_hundred_times_in_a_minute_is_asked_for_a_few_times_and_after_the_last() -> None:
    news, clock, asked = told()
    for _ in range(100):
        news.heard("fraud")
        last = clock.now
        clock.goes_on(0.6)
    clock.goes_on(60)

    assert len(asked) <= 8
    assert last <= asked[-1][0] <= last + LAST_CALM


def test_a_second_move_soon_after_the_first_waits_a_moment() -> None:
    news, clock, asked = told()
    news.heard("fraud")
    clock.goes_on(0.5)

    news.heard("fraud")
    clock.goes_on(60)

    assert [at for at, _ in asked] == [0.0, FIRST_CALM]


def test_one_busy_model_keeps_no_other_waiting() -> None:
    news, clock, asked = told()
    news.heard("fraud")
    news.heard("fraud")
    clock.goes_on(1)

    news.heard("iris")

    assert asked == [(0.0, "fraud"), (1.0, "iris")]


def test_news_after_the_calm_is_passed_on_at_once_again() -> None:
    news, clock, asked = told()
    news.heard("fraud")
    clock.goes_on(FIRST_CALM + 1)

    news.heard("fraud")

    assert [at for at, _ in asked] == [0.0, FIRST_CALM + 1]


def test_news_concerns_those_who_name_the_model_by_alias_or_version() -> None:
    followers = Followers()
    by_alias, by_version, other, plain = (Key("ml", name) for name in "abcd")
    followers.follows(by_alias, "models:/fraud@champion")
    followers.follows(by_version, "models:/fraud/7")
    followers.follows(other, "models:/iris@champion")
    followers.follows(plain, "models:/fraud@champion")

    followers.follows(plain, "s3://models/fraud")

    assert followers.of("fraud") == (by_alias, by_version)
    followers.gone(by_version)
    assert followers.of("fraud") == (by_alias,)


def test_an_alias_is_followed_at_the_server_that_it_is_named_with() -> None:
    followers = Followers()
    here, there = Key("ml", "here"), Key("ml", "there")
    followers.follows(here, "models:/fraud@champion")
    followers.follows(there, "models:/fraud@champion", server="https://theirs")

    assert followers.named() == followers.named("https://theirs") == ("models:/fraud@champion",)
    assert followers.at("models:/fraud@champion") == (here,)
    assert followers.at("models:/fraud@champion", "https://theirs") == (there,)
    assert followers.of("fraud") == (here, there)
