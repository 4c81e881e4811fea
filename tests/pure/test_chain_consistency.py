"""The oracle of the chains that holds each property of a spec against the children: blind to none, unjust to none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from campaign import consistency, operations
from campaign.consistency import SHOWS, UNSEEN
from campaign.standing import Standing
from pure.simulation import Cluster, serving

from ferryman.api.modeldeployment import ModelDeploymentSpec

V1, V2 = "s3://models/v1", "s3://models/v2"
RESOURCES = {"requests": {"cpu": "0.5"}, "limits": {"memory": "1Gi"}}
USUAL: dict[str, Any] = {
    "model": {"uri": V1, "format": "onnx", "digest": "sha256:" + "0" * 64, "secretName": "reader"},
    "server": {
        "resources": RESOURCES,
        "batching": {"maxBatchSize": 8},
        "warmup": {"requests": 7},
        "optimize": "off",
        "workers": 2,
        "cache": {"memory": "1Mi", "ttlSeconds": 9},
        "sampling": {"percent": 3},
    },
    "scaling": {"minReplicas": 2, "maxReplicas": 4, "targetCPUUtilization": 60},
    "routing": {"hosts": ["fraud.example.com"], "gateways": ["edge/public"]},
}
"""A spec that says something of everything."""

OTHERWISE: tuple[tuple[str, Any], ...] = (
    ("model.uri", V2),
    ("model.format", "sklearn"),
    ("model.digest", None),
    ("model.secretName", "another-reader"),
    ("server.resources.requests", {"cpu": "250m"}),
    ("server.resources.limits", {}),
    ("server.batching.maxBatchSize", 64),
    ("server.warmup.requests", 0),
    ("server.optimize", "auto"),
    ("server.workers", None),
    ("server.cache", {"memory": "2Mi", "ttlSeconds": 9}),
    ("server.sampling.percent", None),
    ("scaling.minReplicas", 1),
    ("scaling.maxReplicas", 5),
    ("scaling.targetCPUUtilization", 70),
    ("scaling.replicas", 3),
    ("routing.hosts", []),
    ("routing.gateways", []),
)
"""What the same spec might say, had the operator not heard of it."""


def standing(cluster: Cluster) -> Standing:
    spec = ModelDeploymentSpec.model_validate(cluster.spec).model_dump(mode="json", by_alias=True, exclude_none=True)
    children = {kind: {} for kind, _ in cluster.children} | {"HorizontalPodAutoscaler": {}}
    for (kind, name), body in cluster.children.items():
        children[kind][name] = body
    deployments = {
        name: {**body, "spec": {**body["spec"], "replicas": cluster.desired.get(name, 0)}}
        for name, body in children["Deployment"].items()
    }
    return Standing(
        spec=spec,
        status=cluster.status.model_dump(mode="json", by_alias=True, exclude_none=True),
        deployments=deployments,
        autoscalers=children["HorizontalPodAutoscaler"],
        route=children["VirtualService"]["fraud"]["spec"],
    )


def changed(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return the spec with another value at a path."""
    first, _, rest = path.partition(".")
    return {**spec, first: changed(spec.get(first) or {}, rest, value) if rest else value}


def test_every_property_of_the_schema_is_looked_for_or_has_its_reason_not_to_be() -> None:
    properties = {each.path for sort in operations.by_sort().values() for each in sort} | operations.WITHOUT

    assert SHOWS.keys() | UNSEEN.keys() == properties
    assert not SHOWS.keys() & UNSEEN.keys()


@pytest.mark.parametrize(
    "spec",
    [USUAL, {"scaling": {"replicas": 3}}, {}],
    ids=["everything is said", "a fixed number", "nothing is said"],
)
def test_what_the_operator_makes_of_a_spec_is_consistent_with_it(spec: dict[str, Any]) -> None:
    assert list(consistency.faults(standing(serving(**spec)))) == []


def deaf(stands: Standing, path: str, value: Any) -> list[str]:
    """Return which properties are found to be amiss if the spec says something that nobody heard."""
    unheard = replace(stands, spec=changed(stands.spec, path, value))
    return [fault.split(" is ")[0] for fault in consistency.faults(unheard)]


@pytest.mark.parametrize(("path", "value"), OTHERWISE, ids=[path for path, _ in OTHERWISE])
def test_an_operator_that_has_not_heard_of_a_property_is_found(path: str, value: Any) -> None:
    assert deaf(standing(serving(**USUAL)), path, value) == [path]


STEPS = [{"trafficPercent": 20, "pause": {}}, {"trafficPercent": 100}]
MATCH, OTHER_MATCH = ([{"headers": [{"name": "x-beta", "exact": value}]}] for value in ("yes", "no"))


@pytest.mark.parametrize(
    ("rollout", "path", "value"),
    [
        ({"canary": {"trafficPercent": 20}}, "rollout.canary.trafficPercent", 30),
        ({"canary": {"steps": STEPS}}, "rollout.canary.steps", [{"trafficPercent": 30}]),
        ({"canary": {"trafficPercent": 20, "match": MATCH}}, "rollout.canary.match", []),
        ({"canary": {"trafficPercent": 20, "match": MATCH}}, "rollout.canary.match", OTHER_MATCH),
        ({"shadow": {"percent": 50}}, "rollout.shadow.percent", 60),
        ({"history": 1}, "rollout.history", 0),
    ],
    ids=["a share", "steps", "a match", "a match of another value", "a shadow", "a history"],
)
def test_a_rollout_that_is_not_the_one_that_is_wanted_is_found(
    rollout: dict[str, Any], path: str, value: Any
) -> None:
    cluster = serving(rollout=rollout)
    cluster.model(V2)
    stands = standing(cluster.settle())

    assert list(consistency.faults(stands)) == []
    assert deaf(stands, path, value) == [path]


def test_pods_of_a_revision_that_is_kept_without_any_are_found() -> None:
    cluster = serving()
    cluster.model(V2)
    stands = standing(cluster.settle())
    (old,) = (each["revision"]["revision"] for each in stands.status["history"])
    warm = {**stands.deployments[old], "spec": {"replicas": 1}}

    (fault,) = consistency.faults(replace(stands, deployments={**stands.deployments, old: warm}))

    assert fault == "rollout.standbySeconds is [0] in the spec, and [1] stands"
