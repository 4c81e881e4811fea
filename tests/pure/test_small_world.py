"""The part of the exploration that runs each time: a tiny world to its end, and the beginning of every other one."""

from __future__ import annotations

import pytest
from pure.explorer import Explorer
from pure.small_world import ONE, TEN, V1, V2, WORLDS, World, named, pods, shares
from pure.walks import walk

from ferryman.rollout import capacity

TINY = World("tiny", "2 models, shares 10 and 100, 0 or 1 pod", ONE, TEN, (named(V1, V2), shares(10, 100), pods))


def test_every_state_of_a_tiny_world_keeps_the_promises_and_comes_to_rest() -> None:
    explorer = Explorer(TINY)
    found = explorer.run()
    assert not found.faults, found.faults[0]
    assert found.ended
    assert 500 < found.states < 5000
    for seed in range(5):  # the abstraction holds: real time leads nowhere else
        walk(explorer, seed, steps=40)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_beginning_of_each_part_of_the_small_world_keeps_the_promises(world: World) -> None:
    found = Explorer(world, most=250).run()
    assert not found.faults, found.faults[0]


def test_a_planner_that_counts_no_pods_is_found_out_by_the_shortest_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "needed", lambda _world, _want: 0)
    world = World("planted", "", {"minReplicas": 2, "maxReplicas": 2}, TEN, (named(V1, V2), shares(10, 100), pods))
    found = Explorer(world, faults=1).run()
    assert "pods" in found.faults[0]
    assert "cluster.model" in found.faults[0]
