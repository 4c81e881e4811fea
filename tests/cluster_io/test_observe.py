"""What a look makes of the objects that the apiserver returns."""

from __future__ import annotations

import json
from typing import Any

from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import Phase
from ferryman.cluster import seen
from ferryman.observed import Observed, Route
from ferryman.render import names

OWNER = ObjectMeta(name="fraud", namespace="default", uid="u1", generation=1, resource_version="1")
RECORD = {"revision": "fraud-1", "model": {"uri": "s3://b/k", "requested": "s3://b/k"}, "image": "i", "pod": {}}


def child(kind: str, name: str, revision: str | None = "fraud-1", **parts: Any) -> dict[str, Any]:
    labels = {names.LABEL_DEPLOYMENT: "fraud", **({names.LABEL_REVISION: revision} if revision else {})}
    metadata = {
        "name": name,
        "labels": labels,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 2,
        "annotations": parts.pop("annotations", {}),
        "ownerReferences": [{"uid": "u1", "controller": True}],
    }
    return {"kind": kind, "metadata": metadata, "spec": {}, **parts}


def deployment(**parts: Any) -> dict[str, Any]:
    status = {"observedGeneration": 2, "availableReplicas": 3}
    return child("Deployment", "fraud-1", **{"spec": {"replicas": 4}, "status": status, **parts})


def route(*rules: dict[str, Any]) -> dict[str, Any]:
    return child("VirtualService", "fraud", None, spec={"http": list(rules)})


def to(revision: str, **weight: int) -> dict[str, Any]:
    return {"destination": {"host": f"{revision}.default.svc.cluster.local"}, **weight}


def look(*children: dict[str, Any], mesh: bool = True) -> Observed:
    return seen.of(OWNER, children, [], mesh=mesh)


def test_a_backend_is_told_with_its_figures_and_its_record() -> None:
    children = (
        deployment(annotations={names.ANNOTATION_RECORD: json.dumps(RECORD)}),
        *(child(kind, name) for kind in ("Service", "DestinationRule") for name in ("fraud-1", "fraud-1-canary")),
    )

    backend = look(*children).backend("fraud-1")

    assert (backend.desired, backend.available, backend.deployed, backend.addressed) == (4, 3, True, True)
    assert backend.record is not None
    assert backend.record.model.uri == "s3://b/k"


def test_pods_are_not_taken_for_gone_while_the_autoscaler_changes_their_number() -> None:
    scaled = deployment(status={"observedGeneration": 1, "availableReplicas": 3})

    assert look(scaled).backend("fraud-1").available == 3


def test_a_service_without_a_destination_rule_is_no_address_in_a_mesh() -> None:
    children = (child("Service", "fraud-1"),)

    assert not look(*children).backend("fraud-1").addressed
    assert look(*children, mesh=False).backend("fraud-1").addressed


def test_a_record_that_nobody_can_read_is_none() -> None:
    for text in ("{", "[]", '{"revision": 1}'):
        broken = deployment(annotations={names.ANNOTATION_RECORD: text})
        assert look(broken).backend("fraud-1").record is None


def test_the_split_is_read_back_from_the_route() -> None:
    split = {"route": [to("fraud-1", weight=90), to("fraud-2", weight=10)]}

    assert look(route(split)).route == Route(weights={"fraud-1": 90, "fraud-2": 10})


def test_a_lone_destination_without_a_weight_has_everything() -> None:
    mirrored = {
        "route": [to("fraud-1")],
        "mirror": {"host": "fraud-2.default.svc.cluster.local"},
        "mirrorPercentage": {"value": 25.0},
    }

    assert look(route(mirrored)).route == Route(weights={"fraud-1": 100}, mirrors={"fraud-2": 25})


def test_every_mirror_is_read_back() -> None:
    def mirror(name: str, **percentage: float) -> dict[str, object]:
        return {"destination": {"host": f"{name}.default.svc.cluster.local"}, **percentage}

    mirrors = [mirror("fraud-2", percentage={"value": 25.0}), mirror("fraud-3")]
    seen = look(route({"route": [to("fraud-1")], "mirrors": mirrors})).route

    assert seen == Route(weights={"fraud-1": 100}, mirrors={"fraud-2": 25, "fraud-3": 100})
    assert seen.names("fraud-3")


def test_a_route_that_somebody_emptied_names_nobody() -> None:
    assert look(route()).route == Route()


def test_the_rule_for_chosen_requests_is_told_apart_from_the_split() -> None:
    chosen = {"match": [{"headers": {"x-beta": {"exact": "1"}}}], "route": [to("fraud-2-canary", weight=100)]}
    split = {"route": [to("fraud-1", weight=100)]}

    assert look(route(chosen, split)).route == Route(weights={"fraud-1": 100}, matched="fraud-2")


def test_no_rule_is_heard_behind_the_one_for_everybody() -> None:
    behind = {"route": [to("fraud-2")]}

    assert look(route({"route": [to("fraud-1")]}, behind)).route == Route(weights={"fraud-1": 100})


def test_a_route_for_chosen_requests_alone_gives_nobody_else_a_share() -> None:
    chosen = {"match": [{"headers": {"x-beta": {"exact": "1"}}}], "route": [to("fraud-2")]}

    assert look(route(chosen)).route == Route(matched="fraud-2")


CALLS = {"match": [{"headers": {"content-type": {"prefix": "application/grpc"}}}]}
"""How the rule for everybody's gRPC calls begins."""


def test_the_rule_for_calls_is_no_rule_for_chosen_requests() -> None:
    split = {"route": [to("fraud-1", weight=90), to("fraud-2-canary", weight=10)]}

    assert look(route({**CALLS, **split}, split)).route == Route(weights={"fraud-1": 90, "fraud-2": 10})


def test_a_revision_that_calls_alone_go_to_is_named_by_the_route() -> None:
    calls = {**CALLS, "route": [to("fraud-2")], "mirror": {"host": "fraud-3.default.svc.cluster.local"}}

    seen = look(route(calls, {"route": [to("fraud-1")]})).route

    assert seen == Route(weights={"fraud-1": 100, "fraud-2": 0, "fraud-3": 0})


def test_calls_that_are_chosen_by_another_header_too_are_chosen_requests() -> None:
    headers = {"content-type": {"prefix": "application/grpc"}, "x-beta": {"exact": "1"}}
    chosen = {"match": [{"headers": headers}], "route": [to("fraud-2-canary", weight=100)]}

    assert look(route(chosen, {"route": [to("fraud-1")]})).route == Route(weights={"fraud-1": 100}, matched="fraud-2")


def test_the_front_service_remembers_what_was_decided() -> None:
    front = child("Service", "fraud", None, annotations={names.ANNOTATION_MEMORY: '{"phase": "Canary", "new": 1}'})

    memory = look(front).memory

    assert memory is not None
    assert memory.phase is Phase.CANARY


def test_a_memory_that_nobody_can_read_is_none() -> None:
    for text in ("{", "[]", '{"phase": "Elsewhere"}'):
        assert look(child("Service", "fraud", None, annotations={names.ANNOTATION_MEMORY: text})).memory is None
    assert look(child("Service", "fraud", None)).memory is None


def test_the_front_service_tells_which_revision_it_selects() -> None:
    front = child("Service", "fraud", None, spec={"selector": {names.LABEL_REVISION: "fraud-1"}})

    assert look(front).front == "fraud-1"
    assert look().front is None
