"""What others do to the children: lost labels, spoiled owners, edits, deletions. Nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from api_tier.kubectl import Kubectl, until, until_none
from api_tier.operator_process import OperatorProcess
from api_tier.served import CHILDREN, Served

V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}
OURS = "ferryman.dev/deployment"

Body = dict[str, Any]
Names = tuple[str, str]


@pytest.fixture
def canary(fraud: Served) -> Served:
    """A model of which a second version has ten percent."""
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0")
    fraud.apply(V2, rollout=TEN)
    fraud.rests("Canary", "90/10")
    well(fraud)
    return fraud


def well(served: Served, within: float = 30.0) -> None:
    until(lambda: served.condition("Ready").get("status") == "True", within, "it is ready")


def children(kubectl: Kubectl) -> dict[Names, Body]:
    """Return everything in the namespace that has a child's name, whatever its labels say."""
    return {
        (each["kind"], each["metadata"]["name"]): each
        for each in kubectl.list(CHILDREN)
        if each["metadata"]["name"].startswith("fraud")
    }


def uids(kubectl: Kubectl) -> dict[Names, str]:
    return {name: each["metadata"]["uid"] for name, each in children(kubectl).items()}


def pods(kubectl: Kubectl) -> set[str]:
    return {each["metadata"]["uid"] for each in kubectl.list("pods")}


def owners(served: Served) -> list[list[str]]:
    return [
        [reference["uid"] for reference in each["metadata"].get("ownerReferences", [])]
        for each in children(served.kubectl).values()
    ]


def labels(served: Served) -> set[str | None]:
    return {each["metadata"].get("labels", {}).get(OURS) for each in children(served.kubectl).values()}


def patch_all(served: Served, metadata: Body) -> None:
    for kind, name in children(served.kubectl):
        served.kubectl.patch(kind, name, {"metadata": metadata})


def is_quiet(served: Served, operator: OperatorProcess, seconds: float = 5.0) -> None:
    """See that the operator comes to rest, and writes nothing any more: not even what changes nothing."""

    def sight() -> tuple[float, Body]:
        return written(operator), served.status()

    for namespace, name, *_ in others(served):  # one operator looks after them all; a namespace goes when it goes
        served.kubectl.inside(namespace)("delete", "mdep", name, "--wait=false", "--ignore-not-found")
    until_none(lambda: others(served), 60, "what was there before is gone")
    before = until(lambda: still(sight), 30, "it comes to rest")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert sight() == before
        time.sleep(0.5)


def others(served: Served) -> list[tuple[str, str, str, list[str]]]:
    """Return the ModelDeployments of other namespaces: place, name, since when they go, and what holds them."""
    return [
        (each["namespace"], each["name"], each.get("deletionTimestamp", ""), each.get("finalizers", []))
        for each in (found["metadata"] for found in served.kubectl.inside(None).list("mdep", "--all-namespaces"))
        if each["namespace"] != served.kubectl.namespace
    ]


def written(operator: OperatorProcess, kind: str = "", verb: str = "") -> float:
    """Return how often the operator has written: a kind, with a verb, or anything but Events."""
    lines = [line for line in operator.metrics().splitlines() if line.startswith("ferryman_writes_total{")]
    counted = [line for line in lines if f'kind="{kind}' in line and f'verb="{verb}' in line and "Event" not in line]
    return sum(float(line.split()[-1]) for line in counted)


def still(look: Any) -> Any:
    before = look()
    time.sleep(2.5)  # longer than the operator waits before it looks at what it wrote
    return before if look() == before else None


# What was lost is claimed


def test_children_without_an_owner_are_owned_again_and_nothing_restarts(canary: Served) -> None:
    before, ran, mine = uids(canary.kubectl), pods(canary.kubectl), canary.read()["metadata"]["uid"]

    patch_all(canary, {"ownerReferences": None})

    until(lambda: owners(canary) == [[mine]] * len(before), what="every child is owned")
    assert uids(canary.kubectl) == before
    assert pods(canary.kubectl) == ran
    canary.rests("Canary", "90/10")


def test_children_without_labels_are_found_and_labelled_again(canary: Served, operator: OperatorProcess) -> None:
    before, ran = uids(canary.kubectl), pods(canary.kubectl)
    operator.kill()  # it would be too fast: all of them are to lack their labels at once
    patch_all(canary, {"labels": None})
    weights = canary.weights()
    operator.start()

    until(lambda: labels(canary) == {"fraud"}, what="every child is labelled")
    assert uids(canary.kubectl) == before
    assert pods(canary.kubectl) == ran
    assert canary.weights() == weights
    decisions = [each["signal"] for each in canary.status().get("decisions", []) if "signal" in each]
    assert "CandidateLost" not in decisions, "nobody took what was not labelled for gone"


def test_a_label_that_is_taken_away_moves_no_traffic(canary: Served, operator: OperatorProcess) -> None:
    v2 = str(canary.revision("candidate"))
    is_quiet(canary, operator, 3)  # what was told of the canary is told
    before = {each["metadata"]["uid"] for each in canary.kubectl.list("events.v1.events.k8s.io")}

    canary.kubectl("label", "deployment", v2, f"{OURS}-", "ferryman.dev/revision-")

    until(lambda: labels(canary) == {"fraud"}, what="it is labelled again")
    is_quiet(canary, operator, 3)
    canary.rests("Canary", "90/10")
    events = canary.kubectl.list("events.v1.events.k8s.io")
    fresh = {each["reason"] for each in events if each["metadata"]["uid"] not in before}
    assert not fresh & {"CandidateLost", "TrafficMoved"}


def test_a_wrong_uid_in_an_owner_reference_is_put_right_or_the_child_is_made_anew(canary: Served) -> None:
    mine = canary.read()["metadata"]["uid"]
    v2 = str(canary.revision("candidate"))
    wrong = {
        "apiVersion": "ferryman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "fraud",
        "uid": "00000000-0000-0000-0000-000000000000",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    every = set(children(canary.kubectl))

    for kind, name in (("service", "fraud"), ("deployment", v2), ("destinationrule", v2), ("hpa", v2)):
        canary.kubectl.patch(kind, name, {"metadata": {"ownerReferences": [wrong]}})

    until(lambda: owners(canary) == [[mine]] * len(every), 40, "every child is owned, or was made anew")
    canary.rests("Canary", "90/10", within=40)
    assert set(children(canary.kubectl)) == every
    well(canary)


def test_a_second_owner_is_left_alone(canary: Served, operator: OperatorProcess) -> None:
    canary.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "second"}})
    found = canary.kubectl.get("configmap", "second")
    assert found is not None
    second = {"apiVersion": "v1", "kind": "ConfigMap", "name": "second", "uid": found["metadata"]["uid"]}
    for kind, name in children(canary.kubectl):
        change = json.dumps([{"op": "add", "path": "/metadata/ownerReferences/0", "value": second}])
        canary.kubectl("patch", kind, name, "--type=json", "-p", change)

    is_quiet(canary, operator)

    assert all(found["metadata"]["uid"] in each for each in owners(canary))


def test_what_another_modeldeployment_of_that_name_left_behind_is_taken_over(fraud: Served) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    before, ran, first = uids(fraud.kubectl), pods(fraud.kubectl), fraud.read()["metadata"]["uid"]
    fraud.kubectl("delete", "mdep", "fraud", "--cascade=orphan")
    until(lambda: owners(fraud) == [[]] * len(before), what="every child is left behind")
    assert uids(fraud.kubectl) == before, "an orphan is left as it is"

    fraud.apply(V1)

    fraud.rests("Stable", "100/0")
    mine = fraud.read()["metadata"]["uid"]
    assert mine != first
    until(lambda: owners(fraud) == [[mine]] * len(before), what="every child is owned")
    assert uids(fraud.kubectl) == before
    assert pods(fraud.kubectl) == ran
    well(fraud)


def test_a_copy_of_a_child_under_another_name_is_somebody_elses(fraud: Served, operator: OperatorProcess) -> None:
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    found = fraud.kubectl.get("service", str(fraud.revision("stable")))
    assert found is not None
    kept = {name: found["metadata"][name] for name in ("labels", "annotations")}
    spec = {name: found["spec"][name] for name in ("selector", "ports")}
    copy = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine", **kept}, "spec": spec}
    fraud.kubectl.apply(copy)

    is_quiet(fraud, operator)

    assert "ownerReferences" not in (fraud.kubectl.get("service", "mine") or {})["metadata"]


# What was deleted is made anew


def test_each_child_that_is_deleted_is_made_anew(canary: Served) -> None:
    for kind, name in sorted(children(canary.kubectl)):
        before = uids(canary.kubectl)
        canary.kubectl("delete", kind, name, "--wait=false")
        until(
            lambda before=before, which=(kind, name): uids(canary.kubectl).get(which, before[which]) != before[which],
            what=f"{kind} {name} is made anew",
        )
        canary.rests("Canary", "90/10", within=40)
    well(canary)


def test_all_children_that_are_deleted_at_once_are_made_anew(canary: Served) -> None:
    before, split = set(children(canary.kubectl)), canary.weights()

    canary.kubectl("delete", CHILDREN, "-l", OURS, "--wait=false")

    until(lambda: set(children(canary.kubectl)) == before, 40, "every child is there")
    until(lambda: canary.weights() == split, 40, "the split is as it was")
    canary.rests("Canary", "90/10", within=40)
    well(canary)


def test_a_deletion_that_somebody_holds_up_is_waited_for_in_peace(canary: Served, operator: OperatorProcess) -> None:
    v2 = str(canary.revision("candidate"))
    canary.kubectl.patch("hpa", v2, {"metadata": {"finalizers": ["example.com/held"]}})
    before = uids(canary.kubectl)["HorizontalPodAutoscaler", v2]
    canary.kubectl("delete", "hpa", v2, "--wait=false")

    is_quiet(canary, operator)

    canary.kubectl.patch("hpa", v2, {"metadata": {"finalizers": None}})
    until(
        lambda: uids(canary.kubectl).get(("HorizontalPodAutoscaler", v2), before) != before,
        what="it is made anew once it is gone",
    )


# What was edited is put back; what is not ours stays


EDITS: dict[str, tuple[str, str, Body]] = {
    "a revision's selector": ("service", "{stable}", {"spec": {"selector": {"ferryman.dev/revision": "other"}}}),
    "the front's selector": ("service", "fraud", {"spec": {"selector": {"ferryman.dev/revision": "other"}}}),
    "an autoscaler's target": ("hpa", "{stable}", {"spec": {"scaleTargetRef": {"name": "other"}}}),
    "an autoscaler's bounds": ("hpa", "{stable}", {"spec": {"maxReplicas": 50, "minReplicas": 7}}),
    "the route's hosts": ("virtualservice", "fraud", {"spec": {"hosts": ["elsewhere.example.com"]}}),
    "the route's gateways": ("virtualservice", "fraud", {"spec": {"gateways": None}}),
    "a rule's host": ("destinationrule", "{stable}", {"spec": {"host": "elsewhere.example.com"}}),
    "a rule's subsets": ("destinationrule", "{stable}", {"spec": {"subsets": [{"name": "x"}]}}),
    "where the route is seen": ("virtualservice", "fraud", {"spec": {"exportTo": ["."]}}),
    "a rule's policy": ("destinationrule", "{stable}", {"spec": {"trafficPolicy": {"tls": {"mode": "DISABLE"}}}}),
    "a Deployment's strategy": ("deployment", "{stable}", {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 3}}}}),
    "a Deployment's record": ("deployment", "{stable}", {"metadata": {"annotations": {"ferryman.dev/record": "{}"}}}),
    "the decisions that the front remembers": (
        "service",
        "fraud",
        {"metadata": {"annotations": {"ferryman.dev/memory": "{}"}}},
    ),
}


def test_every_edit_of_what_is_ours_is_put_back(canary: Served) -> None:
    texts = {name: text(each) for name, each in children(canary.kubectl).items()}

    for what, (kind, name, change) in EDITS.items():
        canary.kubectl.patch(kind, name.format(stable=canary.revision("stable")), change)
        until(
            lambda: {name: text(each) for name, each in children(canary.kubectl).items()} == texts,
            what=f"{what} is as it was",
        )

    canary.rests("Canary", "90/10")


def text(child: Body) -> Body:
    """Return what is ours to say of a child, and no more: numbers of pods belong to who scales."""
    spec = {name: value for name, value in child["spec"].items() if name != "replicas"}
    annotations = child["metadata"].get("annotations", {})
    return {"spec": spec, "ours": {name: annotations[name] for name in annotations if "ferryman" in name}}


def test_weights_that_were_set_by_hand_are_set_back_with_one_write(canary: Served, operator: OperatorProcess) -> None:
    route = canary.kubectl.get("virtualservice", "fraud")
    assert route is not None
    split = canary.weights()
    is_quiet(canary, operator, 2)
    before = written(operator, "VirtualService")
    for destination in route["spec"]["http"][-1]["route"]:
        destination["weight"] = 50
    canary.kubectl.patch("virtualservice", "fraud", {"spec": {"http": route["spec"]["http"]}})

    until(lambda: canary.weights() == split, what="the split is as it was")
    is_quiet(canary, operator)

    assert written(operator, "VirtualService") == before + 1


def test_what_others_add_stays_and_is_not_fought_over(canary: Served, operator: OperatorProcess) -> None:
    v1 = str(canary.revision("stable"))
    for kind, name in children(canary.kubectl):
        canary.kubectl("label", kind, name, "team=fraud")
        canary.kubectl("annotate", kind, name, "example.com/note=hello")
    canary.kubectl("rollout", "restart", f"deployment/{v1}")
    canary.kubectl("set", "env", f"deployment/{v1}", "ADDED=1")

    is_quiet(canary, operator)

    assert all(each["metadata"]["labels"]["team"] == "fraud" for each in children(canary.kubectl).values())
    template = children(canary.kubectl)["Deployment", v1]["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    canary.rests("Canary", "90/10")


def test_a_deployment_that_was_undone_is_put_back(canary: Served) -> None:
    v1 = str(canary.revision("stable"))
    before = text(children(canary.kubectl)["Deployment", v1])
    canary.kubectl("set", "image", f"deployment/{v1}", "server=elsewhere")
    until(lambda: text(children(canary.kubectl)["Deployment", v1]) == before, what="the image is as it was")

    canary.kubectl("patch", "deployment", v1, "--type=merge", "-p", '{"spec":{"minReadySeconds":0}}')

    until(lambda: text(children(canary.kubectl)["Deployment", v1]) == before, what="it is as it was")
    canary.rests("Canary", "90/10", within=40)


def test_a_stable_revision_that_was_scaled_to_nothing_by_hand_gets_its_pods_back(canary: Served) -> None:
    v1 = str(canary.revision("stable"))

    canary.kubectl("scale", "deployment", v1, "--replicas=0")

    until(lambda: children(canary.kubectl)["Deployment", v1]["spec"]["replicas"] >= 1, what="it has its pods back")
    canary.rests("Canary", "90/10", within=40)
    well(canary)
