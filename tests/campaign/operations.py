"""Operations on a ModelDeployment's spec, as the CRD's own schema gives them.

Each property gets values that are usual, on its bounds, beyond them, of another type, and none at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ferryman.api import crd

Body = dict[str, Any]
Sort = Literal["usual", "bound", "beyond", "wrong", "none"]

SAMPLES: dict[str, tuple[Any, ...]] = {
    "model.uri": ("s3://models/v1", "s3://models/v2", "s3://models/v3", "s3://models/broken", "s3://models/slow"),
    "model.digest": ("sha256:" + "0" * 64,),
    "model.secretName": ("reader", "another-reader"),
    "server.resources.requests": ({"cpu": "250m"}, {"cpu": "0.5", "memory": "64Mi"}),
    "server.resources.limits": ({"memory": "1Gi"}, {"cpu": 1, "memory": "512Mi"}),
    "server.cache": ({"memory": "1Mi"}, {"memory": "64Mi", "ttlSeconds": 1}, {"memory": 0}),
    "routing.hosts": (["fraud.example.com"], ["a.example.com", "b.example.com"]),
    "routing.gateways": (["istio-system/ingress"], ["edge/public"]),
    "rollout.canary.steps": (
        [{"trafficPercent": 20}, {"trafficPercent": 60, "pause": {}}, {"trafficPercent": 100}],
        [{"trafficPercent": 50, "pause": {"duration": "1s"}}, {"trafficPercent": 100}],
    ),
    "rollout.canary.match": ([{"headers": [{"name": "x-beta", "exact": "yes"}]}],),
}
"""Usual values of properties whose type alone does not say any."""

FEW: dict[str, tuple[int, ...]] = {
    "scaling.replicas": (1, 3),
    "scaling.minReplicas": (1, 3),
    "scaling.maxReplicas": (3, 5),
    "rollout.canary.trafficPercent": (0, 5, 10, 34, 50, 99, 100),
}
"""Usual numbers, where any number within the bounds would be too many pods."""

WITHOUT = frozenset({"rollout.allowDowntime", "rollout.deadlineSeconds", "server.image", "server.container"})
"""Left out: the first allows what an oracle forbids, the second only waits, the last two never change alone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of one property."""

    path: str
    sort: Sort
    value: Any

    @property
    def change(self) -> Body:
        """Return it as a merge patch of the spec."""
        change: Any = self.value
        for name in reversed(self.path.split(".")):
            change = {name: change}
        return {"spec": change}

    def __str__(self) -> str:
        """Return it as a complaint names it."""
        return f"{self.path} = {json.dumps(self.value)} ({self.sort})"


def by_sort() -> dict[Sort, list[Operation]]:
    """Return every operation that the schema gives, by its sort."""
    spec = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    found: dict[Sort, list[Operation]] = {"usual": [], "bound": [], "beyond": [], "wrong": [], "none": []}
    for path, schema in _properties(spec, ()):
        if path not in WITHOUT:
            for sort, value in _values(path, schema):
                found[sort].append(Operation(path, sort, value))
    return found


def _properties(schema: Body, path: tuple[str, ...]) -> Iterator[tuple[str, Body]]:
    whole = ".".join(path) in WITHOUT or ".".join(path) in SAMPLES
    if schema.get("type") == "object" and "properties" in schema and not whole:
        for name, inner in schema["properties"].items():
            yield from _properties(inner, (*path, name))
    else:
        yield ".".join(path), schema


def _values(path: str, schema: Body) -> Iterator[tuple[Sort, Any]]:
    """Return values for a property, each with its sort."""
    if path != "model.uri":
        yield "none", None
    usual = SAMPLES.get(path) or FEW.get(path) or tuple(schema.get("enum", ()))
    if schema["type"] == "boolean":
        usual = (True, False)
    low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 0))
    if schema["type"] == "integer":
        usual = usual or (low, min(high, low + 7), min(high, 60))
        yield from (("bound", low), ("bound", high), ("beyond", low - 1), ("beyond", high + 1), ("wrong", "ten"))
    if schema["type"] in {"string", "array"}:
        yield "wrong", 7
    if schema["type"] == "string":
        yield "beyond", "x" * 1025 if "enum" not in schema else "Nonsense"
    for value in usual:
        yield "usual", value
