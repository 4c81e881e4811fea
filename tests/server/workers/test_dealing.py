"""Connections are dealt evenly, and evened out where they are not."""

import random

import pytest

from ferryman_server.workers import dealing


def test_the_one_with_the_fewest_of_this_port_gets_the_next():
    assert dealing.chosen({1: 4, 2: 3, 3: 5}, {1: 4, 2: 30, 3: 5}) == 2


def test_among_equals_the_one_with_the_fewest_of_all_ports_gets_it():
    assert dealing.chosen({1: 0, 2: 0}, {1: 8, 2: 3}) == 2


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({1: 8, 2: 0}, (1, 4)),
        ({1: 1, 2: 3}, (2, 1)),
        ({1: 3, 2: 3, 3: 1}, (2, 1)),
        ({1: 2, 2: 1}, None),
        ({1: 5}, None),
        ({}, None),
    ],
)
def test_those_with_too_many_give_up_what_is_over_a_fair_share(counts, wanted):
    assert dealing.surplus(counts) == wanted


def test_evening_out_always_comes_to_an_end():
    chance = random.Random(7)
    for _ in range(300):
        counts = {slot: chance.randrange(40) for slot in range(1, chance.randrange(2, 9))}
        rounds = 0
        while found := dealing.surplus(counts):
            slot, over = found
            counts[slot] -= over
            for _ in range(over):
                counts[dealing.chosen(counts, counts)] += 1
            rounds += 1
            assert rounds < 100, counts
        assert max(counts.values()) - min(counts.values()) < 2
