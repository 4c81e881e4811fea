"""Whether the nodes have room for a candidate's pods, and what is short."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ferryman.api.revision import PodSettings, ResolvedModel, Revision
from ferryman.api.server import GPU, Resources, Server
from ferryman.observed import Node
from ferryman.rollout import room

GI = 2.0**30


def node(name: str = "n1", *, gpu_only: bool = False, **amounts: tuple[float, float]) -> Node:
    """Return a node with (free, total) of each resource; of pods there are plenty unless told otherwise."""
    named = {"pods": (100.0, 110.0), **{key.replace("gpu", GPU): value for key, value in amounts.items()}}
    free, total = ({key: value[side] for key, value in named.items()} for side in (0, 1))
    return Node(name, free=free, total=total, gpu_only=gpu_only)


def revision(requests: dict[str, str], limits: dict[str, str]) -> Revision:
    server = Server(resources=Resources(requests=requests, limits=limits))
    return Revision(
        revision="fraud-1",
        model=ResolvedModel(uri="s3://b/k", requested="s3://b/k"),
        image="i",
        pod=PodSettings(server=server),
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_shape_of_a_pod_is_what_it_asks_for_and_else_its_limits() -> None:
    shaped = room.shape(revision({"cpu": "500m", "memory": "1.5Gi"}, {"memory": "4G", GPU: "1"}))

    assert shaped == pytest.approx({"cpu": 0.5, "memory": 1.5 * GI, GPU: 1.0})


@pytest.mark.parametrize(
    ("said", "amount"),
    [("2", 2), ("0.5", 0.5), ("250m", 0.25), ("1k", 1e3), ("3M", 3e6), ("1Ki", 1024), ("2Ti", 2 * 2.0**40)],
)
def test_every_unit_of_a_spec_is_understood(said: str, amount: float) -> None:
    assert room.shape(revision({"memory": said}, {})) == pytest.approx({"memory": amount})


def test_whole_pods_fit_on_each_node_not_parts_of_them_on_several() -> None:
    nodes = (node("a", cpu=(0.9, 4)), node("b", cpu=(0.7, 4)), node("c", cpu=(2.0, 4)))

    assert room.shortage(nodes, {"cpu": 0.5}, 6) is None
    assert room.shortage(nodes, {"cpu": 0.5}, 7) is not None


def test_tenths_add_up_as_people_reckon() -> None:
    assert room.shortage((node(cpu=(0.3, 4)),), {"cpu": 0.1}, 3) is None


def test_a_lone_gpu_in_use_is_told_with_what_else_the_pod_asks_for() -> None:
    nodes = (node(gpu=(0, 1), cpu=(3, 4), gpu_only=True), node("n2", cpu=(0.1, 4)))

    assert room.shortage(nodes, {"cpu": 0.5, GPU: 1}, 1) == (
        "room for 0 of 1 pod: each asks for nvidia.com/gpu 1, cpu 500m; nvidia.com/gpu: 1 of 1 on 1 node is in use; "
        "a node autoscaler may add room"
    )


def test_every_resource_that_is_short_is_named() -> None:
    nodes = (node("a", cpu=(0.2, 4), memory=(0.5 * GI, 8 * GI)), node("b", cpu=(0.2, 4), memory=(0.5 * GI, 8 * GI)))

    assert room.shortage(nodes, {"memory": GI, "cpu": 0.5}, 2) == (
        "room for 0 of 2 pods: each asks for cpu 500m, memory 1Gi; cpu: 7600m of 8 on 2 nodes is in use; memory: "
        "15Gi of 16Gi on 2 nodes is in use; a node autoscaler may add room"
    )


def test_a_pod_that_is_larger_than_any_node_is_told_so() -> None:
    said = room.shortage((node(memory=(8 * GI, 8 * GI)),), {"memory": 12.5 * GI}, 1)

    assert said is not None
    assert "each asks for memory 12.5Gi; memory: the largest node has 8Gi in all;" in said


def test_a_cluster_without_gpus_is_told_so() -> None:
    said = room.shortage((node(cpu=(4, 4)),), {GPU: 1}, 1)

    assert said is not None
    assert "no node that takes the pod has nvidia.com/gpu" in said


def test_nodes_for_gpus_are_closed_to_pods_that_ask_for_none() -> None:
    nodes = (node(cpu=(16, 16), gpu=(1, 1), gpu_only=True),)

    assert room.shortage(nodes, {"cpu": 1}, 1) == (
        "room for 0 of 1 pod: each asks for cpu 1; no node takes new pods; a node autoscaler may add room"
    )
    assert room.shortage(nodes, {"cpu": 1, GPU: 1}, 1) is None


def test_a_node_takes_only_so_many_pods_whatever_they_ask_for() -> None:
    full = (node(pods=(0, 110), cpu=(4, 4)),)

    assert room.shortage(full, {}, 1) == (
        "room for 0 of 1 pod; pods: 110 of 110 on 1 node is in use; a node autoscaler may add room"
    )
    assert room.shortage((node(pods=(1, 110)),), {}, 1) is None


def test_what_is_free_in_different_places_is_no_room() -> None:
    nodes = (node("a", cpu=(4, 4), memory=(0, 8 * GI)), node("b", cpu=(0, 4), memory=(8 * GI, 8 * GI)))

    said = room.shortage(nodes, {"cpu": 1, "memory": GI}, 1)

    assert said is not None
    assert "no node has enough of everything at once" in said


def test_a_node_that_gave_away_more_than_it_has_counts_as_full() -> None:
    nodes = (node("a", cpu=(-1, 4)), node("b", cpu=(1, 4)))

    assert room.shortage(nodes, {"cpu": 1}, 1) is None
    said = room.shortage(nodes, {"cpu": 1}, 2)
    assert said is not None
    assert "cpu: 7 of 8 on 2 nodes is in use" in said


def test_nothing_is_short_for_no_pods() -> None:
    assert room.shortage((), {"cpu": 1}, 0) is None
