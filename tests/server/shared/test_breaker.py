"""Nobody asks a helper in trouble, and attempts to reach it become rare."""

from ferryman_server.shared.breaker import Breaker


def closed() -> Breaker:
    breaker = Breaker(lambda: 1.0)
    breaker.close()
    return breaker


def test_nobody_asks_before_it_has_been_seen_to_work():
    assert Breaker(lambda: 1.0).open


def test_three_failures_in_a_row_open_it_and_only_the_third_says_so():
    breaker = closed()

    assert [breaker.failed() for _ in range(5)] == [False, False, True, False, False]
    assert breaker.open


def test_a_success_between_failures_keeps_it_closed():
    breaker = closed()
    for _ in range(10):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()

    assert not breaker.open


def test_attempts_wait_twice_as_long_each_time_and_at_most_half_a_minute():
    breaker = Breaker(lambda: 1.0)

    assert [breaker.wait() for _ in range(11)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]


def test_replicas_do_not_try_at_the_same_moment():
    assert [Breaker(lambda chance=chance: chance).wait() for chance in (0, 1)] == [0.05, 0.1]


def test_what_comes_and_goes_is_tried_less_and_less_and_what_stays_is_trusted_again():
    breaker = closed()

    def trouble() -> float:
        for _ in range(3):
            breaker.failed()
        wait = breaker.wait()
        breaker.close()
        return wait

    first = [trouble() for _ in range(4)]
    for _ in range(99):
        breaker.succeeded()
    almost = trouble()
    for _ in range(99):
        breaker.succeeded()
    again = trouble()
    for _ in range(100):
        breaker.succeeded()

    assert (first, almost, again, trouble()) == ([0.1, 0.2, 0.4, 0.8], 1.6, 3.2, 0.1)
