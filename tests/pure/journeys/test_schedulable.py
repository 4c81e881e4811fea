"""The warning before the scheduler's: is there room for the pods that a promotion needs?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from pure.simulation import SETTINGS, Cluster, serving

from ferryman import plan as planner
from ferryman.api.conditions import Condition
from ferryman.observed import Node

V1, V2 = "s3://models/v1", "s3://models/v2"
GPU = {"server": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}


def schedulable(cluster: Cluster, *nodes: Node) -> Condition | None:
    """Return what a look that saw these nodes says of the condition; None if it says nothing."""
    observed = replace(cluster.observed(), nodes=nodes or None)
    status = planner.plan(cluster.resource(), observed, cluster.resolved(), SETTINGS, cluster.now).status
    return next((condition for condition in status.conditions if condition.type == "Schedulable"), None)


def node(free: float) -> Node:
    return Node("gpu-1", free={"nvidia.com/gpu": free, "pods": 100}, total={"nvidia.com/gpu": 2.0, "pods": 110})


def starting(**spec: object) -> Cluster:
    """Return a cluster in which v2 has just been named beside v1, on GPUs."""
    cluster = serving(scaling={"replicas": 2}, **{**GPU, **spec})
    cluster.model(V2)
    cluster.reconcile()
    return cluster


def test_too_little_room_for_a_promotion_is_told_with_its_sum_while_stable_serves() -> None:
    cluster = starting(rollout={"canary": {"trafficPercent": 10}})

    told = schedulable(cluster, node(free=0))

    assert told is not None
    assert (told.status, told.reason) == ("False", "NoRoom")
    assert "room for 0 of 1 pod" in told.message
    assert "nvidia.com/gpu" in told.message
    assert cluster.weights() == {V1: 100}


def test_room_that_is_there_is_told_and_holds_nothing_up() -> None:
    told = schedulable(starting(), node(free=2))

    assert told is not None
    assert (told.status, told.reason) == ("True", "RoomFound")


def test_where_stable_gives_its_pods_up_there_is_room_for_pods_of_the_same_shape() -> None:
    told = schedulable(starting(rollout={"surge": "NoSurge"}), node(free=0))

    assert told is not None
    assert told.status == "True"


def test_where_stable_gives_its_pods_up_there_is_none_for_pods_that_ask_for_more() -> None:
    cluster = serving(scaling={"replicas": 2}, rollout={"surge": "NoSurge"}, **GPU)
    cluster.patch(server={"resources": {"limits": {"nvidia.com/gpu": "2"}}})
    cluster.reconcile()

    told = schedulable(cluster, node(free=0))

    assert told is not None
    assert told.status == "False"


@pytest.mark.parametrize("settled", [True, False])
def test_nothing_is_said_of_room_that_nobody_looked_at_or_needs(settled: bool) -> None:
    cluster = starting()
    if settled:
        cluster.settle()

    assert schedulable(cluster, *([node(free=0)] if settled else [])) is None
