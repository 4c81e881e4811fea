"""What stands in the cluster, word for word, in the situations a reader asks about first.

`pytest tests/pure --update-golden` rewrites the files; the difference is reviewed like code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pure.simulation import Cluster, serving

GOLDEN = Path(__file__).parent / "golden"
V2 = {"uri": "s3://models/v2"}


class Plain(yaml.SafeDumper):
    """Writes what a reader expects: every value where it stands, none by reference."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def canary_at_ten_percent() -> Cluster:
    cluster = serving(
        scaling={"minReplicas": 2, "maxReplicas": 6},
        routing={"hosts": ["fraud.example.com"], "gateways": ["istio-system/ingress"]},
        rollout={"canary": {"trafficPercent": 10}},
    )
    cluster.patch(model=V2)
    return cluster.settle()


def shadow_of_everything() -> Cluster:
    cluster = serving(rollout={"shadow": {"percent": 100}})
    cluster.patch(model=V2)
    return cluster.settle()


def a_challenger_beside_a_canary() -> Cluster:
    shadow = {"uri": "models:/fraud/5", "percent": 20}
    cluster = serving(rollout={"canary": {"trafficPercent": 10}, "shadow": shadow})
    cluster.patch(model=V2)
    return cluster.settle()


def one_gpu_from_a_claim() -> Cluster:
    cluster = Cluster()
    cluster.patch(
        model={"uri": "pvc://weights/resnet", "format": "onnx"},
        server={"resources": {"limits": {"nvidia.com/gpu": 1}}},
    )
    return cluster.settle()


def credentials_for_the_fetch() -> Cluster:
    cluster = Cluster()
    cluster.patch(model={"uri": "s3://models/v1", "secretName": "s3-reader"})
    return cluster.settle()


def answers_remembered() -> Cluster:
    cluster = Cluster()
    cache = {"memory": "64Mi", "redisSecret": {"name": "redis", "key": "url"}}
    cluster.patch(model={"uri": "s3://models/v1"}, server={"cache": cache})
    return cluster.settle()


def a_guest_on_a_gpu() -> Cluster:
    cluster = Cluster()
    container = {
        "args": ["tritonserver", "--model-repository=$(FERRYMAN_MODEL_DIR)"],
        "env": [{"name": "HOME", "value": "/opt"}, {"name": "EMPTY", "value": ""}],
        "port": 8000,
        "grpcPort": 8001,
        "protocol": "V2",
    }
    image = "nvcr.io/nvidia/tritonserver:25.10-py3"
    resources = {"limits": {"nvidia.com/gpu": 1}}
    cluster.patch(
        model={"uri": "s3://models/v1", "secretName": "s3-reader"},
        server={"image": image, "container": container, "resources": resources},
    )
    return cluster.settle()


WORLDS = [
    *(canary_at_ten_percent, shadow_of_everything, one_gpu_from_a_claim, credentials_for_the_fetch),
    *(answers_remembered, a_guest_on_a_gpu, a_challenger_beside_a_canary),
]


@pytest.mark.parametrize("world", WORLDS)
def test_the_cluster_holds_exactly_this(world: Callable[[], Cluster], request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{world.__name__.replace('_', '-')}.yaml"

    cluster = world()

    held: list[dict[str, Any]] = [*cluster.children.values(), {"status": cluster.status.to_api()}]
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.dump_all(held, Dumper=Plain, sort_keys=False, width=118), encoding="utf-8")
    assert held == list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("world", WORLDS)
def test_nothing_is_rendered_that_the_apiserver_drops(world: Callable[[], Cluster]) -> None:
    """An empty value was dropped, missed at the next look, and applied again: at every look, for ever."""
    empty = [path for child in world().children.values() for path in _empty(child, child["kind"])]

    assert empty == []


def _empty(value: Any, path: str) -> list[str]:
    if isinstance(value, dict):
        return [found for name, each in value.items() for found in _empty(each, f"{path}.{name}")]
    if isinstance(value, list):
        return [found for each in value for found in _empty(each, path)]
    return [path] if value in ("", None) else []
