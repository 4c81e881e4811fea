"""Which differences between what was rendered and what lives are drift."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ferryman.cluster import drift
from ferryman.render import names

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "fraud-1", "labels": {"a": "b"}},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"containers": [{"name": "server", "resources": {"requests": {"cpu": "0.5", "memory": "1Gi"}}}]},
    },
}
ROUTE: dict[str, Any] = {
    "kind": "VirtualService",
    "metadata": {"name": "fraud"},
    "spec": {"http": [{"route": [{"weight": 100}]}]},
}

OWNED: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "fraud", "ownerReferences": [{"uid": "u1", "controller": True}]},
    "spec": {"ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]},
}


def living(rendered: dict[str, Any], change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    live = copy.deepcopy(rendered)
    live["metadata"]["annotations"] = drift.marks(rendered)
    change(live)
    return live


def container(live: dict[str, Any]) -> dict[str, Any]:
    return live["spec"]["template"]["containers"][0]


STANDS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "nothing changed": (DEPLOYMENT, lambda live: None),
    "a default was added": (DEPLOYMENT, lambda live: live["spec"].update(replicas=3)),
    "a label was added": (DEPLOYMENT, lambda live: live["metadata"]["labels"].update(c="d")),
    "an amount was written another way": (
        DEPLOYMENT,
        lambda live: container(live)["resources"]["requests"].update(cpu="500m", memory="1024Mi"),
    ),
    "somebody put a container beside ours, which we cannot take away": (
        DEPLOYMENT,
        lambda live: live["spec"]["template"]["containers"].insert(0, {"name": "b"}),
    ),
    "somebody else owns it, too": (OWNED, lambda live: live["metadata"]["ownerReferences"].insert(0, {"uid": "u2"})),
    "status was written": (ROUTE, lambda live: live.update(status={"validated": True})),
}

DRIFTED: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "it was never applied by us": (DEPLOYMENT, lambda live: live["metadata"].pop("annotations")),
    "another text was applied": (
        DEPLOYMENT,
        lambda live: live["metadata"].update(annotations={names.ANNOTATION_APPLIED: "0"}),
    ),
    "a label was taken away": (DEPLOYMENT, lambda live: live["metadata"].pop("labels")),
    "a selector picks fewer pods": (DEPLOYMENT, lambda live: live["spec"]["selector"]["matchLabels"].update(c="d")),
    "an amount was changed": (DEPLOYMENT, lambda live: container(live)["resources"]["requests"].update(cpu="600m")),
    "a container was taken away": (
        DEPLOYMENT,
        lambda live: live["spec"]["template"].update(containers=[{"name": "b"}]),
    ),
    "the mark of whom it was made for was taken away": (
        OWNED,
        lambda live: live["metadata"]["annotations"].pop(names.ANNOTATION_OWNER),
    ),
    "the mark of whom it was made for was changed": (
        OWNED,
        lambda live: live["metadata"]["annotations"].update({names.ANNOTATION_OWNER: "u2"}),
    ),
    "its owner was changed": (OWNED, lambda live: live["metadata"]["ownerReferences"][0].update(uid="u2")),
    "a weight was changed": (ROUTE, lambda live: live["spec"]["http"][0]["route"][0].update(weight=50)),
    "a mirror was added": (ROUTE, lambda live: live["spec"]["http"][0].update(mirror={"host": "b"})),
    "a host was added": (ROUTE, lambda live: live["spec"].update(hosts=["stranger"])),
}


@pytest.mark.parametrize(("rendered", "change"), STANDS.values(), ids=STANDS.keys())
def test_it_stands(rendered: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> None:
    assert drift.stands(rendered, living(rendered, change))


@pytest.mark.parametrize(("rendered", "change"), DRIFTED.values(), ids=DRIFTED.keys())
def test_it_is_drift(rendered: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> None:
    assert not drift.stands(rendered, living(rendered, change))


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert drift.digest({"a": 1, "b": {"c": 2, "d": 3}}) == drift.digest({"b": {"d": 3, "c": 2}, "a": 1})


def test_what_others_add_to_a_route_is_taken_away() -> None:
    wanted = {"spec": {"host": "a", "trafficPolicy": {"tls": {}}, "subsets": [1]}, "kind": "DestinationRule"}
    live = {"spec": {"host": "b", "trafficPolicy": {"tls": {"mode": 1}, "lb": {}}, "subsets": [2], "exportTo": ["."]}}

    taken = drift.surplus(wanted, live)

    assert taken == {"spec": {"exportTo": None, "trafficPolicy": {"lb": None, "tls": {"mode": None}}}}
    assert drift.surplus(wanted, wanted) == {}
    assert drift.surplus({**wanted, "kind": "Service"}, live) == {}, "elsewhere the apiserver itself adds"
