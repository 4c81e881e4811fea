"""Any JSON as spec, status, annotations and children: a refusal or a plan, never an exception or an unsafe child.

The schema is passed by: a CRD may be edited, an object may be older than a rule, and whoever may edit a namespace
may edit the children.
"""

from __future__ import annotations

import copy
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pydantic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pure import noise, restricted, safe
from pure.simulation import SETTINGS, START, Cluster, serving

from ferryman import plan as planner
from ferryman import reading
from ferryman.api import crd
from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.revision import ResolvedModel
from ferryman.cluster import seen
from ferryman.outcome import Plan, Resource, Unresolved
from ferryman.render import names

Body = dict[str, Any]

EXAMPLES = settings(
    max_examples=max(50, int(os.environ.get("FERRYMAN_EXAMPLES", "1500")) // 15),
    deadline=None,
    derandomize="FERRYMAN_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
ROOT = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
OWNER = ObjectMeta(name="fraud", namespace="ml", uid="u-1", generation=7, resource_version="9")
IDENTITY = (
    *(("kind",), ("apiVersion",)),
    *(("metadata", field) for field in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")),
)
"""What the apiserver itself sees to."""
REQUIRED = frozenset({"metadata", "spec", "destination", "host", "type", "status", "name", "exitCode", "state"})
"""What no schema lets be left out."""
WORDS = sorted((Path(__file__).parents[1] / "cluster_io" / "words").glob("*.json"))
RULED = {"duration", "name", "exact", "prefix", "memory", "env"}
"""Fields of which the rules of the CRD ask more than its schema."""
V2 = {"uri": "s3://models/v2"}
VERBS = ("promote", "abort", "pause", "resume", "retry", "rollback", "nonsense", "")


@cache
def worlds() -> tuple[Cluster, ...]:
    """Return a ModelDeployment in the situations that a rollout knows."""

    def released(**spec: Any) -> Cluster:
        cluster = serving(**spec)
        cluster.patch(model=V2)
        return cluster.settle()

    promoted = released()
    history = promoted.clone()
    history.patch(model={"uri": "s3://models/v3"})
    return (
        Cluster(),
        serving(),
        released(rollout={"canary": {"trafficPercent": 10}}),
        released(rollout={"canary": {"trafficPercent": 0, "match": [{"cookie": {"name": "beta", "value": "yes"}}]}}),
        released(rollout={"shadow": {"percent": 50}}),
        released(rollout={"canary": {"steps": [{"trafficPercent": 5, "pause": {}}, {"trafficPercent": 100}]}}),
        released(scaling={"replicas": 4}, rollout={"surge": "NoSurge", "canary": {"trafficPercent": 50}}),
        promoted,
        history,
        released(rollout={"shadow": {"uri": "models:/fraud/5"}, "canary": {"trafficPercent": 10}}),
    )


def body_of(cluster: Cluster) -> Body:
    """Return the ModelDeployment as the apiserver would."""
    metadata = {"name": OWNER.name, "namespace": OWNER.namespace, "uid": OWNER.uid, "generation": 7}
    return {
        "metadata": {**metadata, "resourceVersion": "9", "annotations": {}},
        "spec": copy.deepcopy(cluster.spec),
        "status": cluster.status.to_api(),
    }


def children_of(cluster: Cluster) -> list[Body]:
    """Return its children as the apiserver would."""
    found = [copy.deepcopy(child) for child in cluster.children.values()]
    for number, child in enumerate(found):
        child["metadata"] |= {"uid": f"c-{number}", "resourceVersion": "1"}
        child["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        if child["kind"] == "Deployment":
            child["spec"]["replicas"] = 1
            child["status"] = {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}
    return found


def look(
    body: Body, children: list[Body], resolved: ResolvedModel | Unresolved | None = None, **further: Any
) -> Plan | pydantic.ValidationError:
    """Do what a look does, without a cluster."""
    meta = ObjectMeta.model_validate(body["metadata"])
    standing = reading.standing(body)
    try:
        spec = ModelDeploymentSpec.model_validate(body.get("spec") or {})
    except pydantic.ValidationError as refusal:
        reading.fault(refusal)  # which has to find words for it
        return refusal
    uri = spec.model.uri
    observed = seen.of(meta, tuple(children), **{"pods": (), "mesh": True, **further})
    resource = Resource(meta, spec, standing, reading.verbs(body))
    other = spec.challenger()
    challenger = ResolvedModel(uri=other.model.uri, requested=other.model.uri) if other is not None else None
    model = resolved or ResolvedModel(uri=uri, requested=uri)
    decided = planner.plan(resource, observed, model, SETTINGS, START, challenger=challenger)
    assert safe.faults(meta, spec, observed.children, decided, SETTINGS) == []
    return decided


def again(body: Body, children: list[Body], decided: Plan | pydantic.ValidationError) -> None:
    """Look once more at what the first look left: nothing that it wrote may stop the next one."""
    if isinstance(decided, pydantic.ValidationError):
        return
    written = {(child["kind"], child["metadata"]["name"]): child for child in decided.objects}
    kept = {(child["kind"], child["metadata"]["name"]): child for child in children}
    for key, child in written.items():
        old = kept.get(
            key, {"metadata": {"uid": "n", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}}
        )
        kept[key] = {**old, **child, "metadata": {**old["metadata"], **child["metadata"]}}
    look({**body, "status": decided.status.to_api()}, list(kept.values()))


@given(spec=st.one_of(noise.noise, noise.of_schema(ROOT["spec"])), world=st.sampled_from(range(10)))
@EXAMPLES
def test_any_json_is_a_spec_that_is_refused_or_planned_safely(spec: Any, world: int) -> None:
    cluster = worlds()[world]
    body, children = {**body_of(cluster), "spec": spec}, children_of(cluster)

    again(body, children, look(body, children))


def _named(spec: Body) -> Body:
    """Name models as a rule of the CRD asks, and leave the rest as it is."""
    spec = {**spec, "model": {**spec["model"], "uri": "s3://models/v3"}}
    rollout = spec.get("rollout") or {}
    if (rollout.get("shadow") or {}).get("uri") is None:
        return spec
    return {**spec, "rollout": {**rollout, "shadow": {**rollout["shadow"], "uri": "models:/fraud@challenger"}}}


good = noise.of_schema(ROOT["spec"]).map(_named)


@given(spec=good, world=st.sampled_from(range(10)))
@EXAMPLES
def test_a_spec_that_only_rules_forbid_is_planned_safely(spec: Body, world: int) -> None:
    """CEL rules live in the apiserver alone: more pods at least than at most, plans that fall, a share and a plan."""
    cluster = worlds()[world]
    body, children = {**body_of(cluster), "spec": spec}, children_of(cluster)

    decided = look(body, children)

    if isinstance(decided, pydantic.ValidationError):
        fields = {error["loc"][-1] for error in decided.errors()}
        assert fields <= RULED, "what the schema takes, the operator takes"
    again(body, children, decided)


@given(data=st.data(), world=st.sampled_from(range(10)))
@EXAMPLES
def test_a_spoilt_object_is_refused_or_planned_safely(data: st.DataObject, world: int) -> None:
    cluster = worlds()[world]
    whole = data.draw(noise.spoilt({"spec": body_of(cluster)["spec"], "status": body_of(cluster)["status"]}))
    body, children = {**body_of(cluster), **whole}, children_of(cluster)

    again(body, children, look(body, children))


@given(status=st.one_of(noise.noise, noise.of_schema(ROOT["status"])), world=st.sampled_from(range(10)))
@EXAMPLES
def test_any_json_is_a_status_that_is_read_or_rebuilt(status: Any, world: int) -> None:
    cluster = worlds()[world]
    body, children = {**body_of(cluster), "status": status}, children_of(cluster)

    again(body, children, look(body, children))


@given(
    annotations=st.dictionaries(
        st.one_of(noise.texts, st.sampled_from(VERBS).map(lambda verb: names.PREFIX + verb)), noise.texts, max_size=5
    ),
    world=st.sampled_from(range(10)),
)
@EXAMPLES
def test_any_annotation_is_obeyed_refused_or_not_ours(annotations: dict[str, str], world: int) -> None:
    cluster = worlds()[world]
    body, children = body_of(cluster), children_of(cluster)
    body["metadata"]["annotations"] = annotations

    again(body, children, look(body, children))


@given(data=st.data(), world=st.sampled_from(range(1, 9)), wiped=st.booleans())
@EXAMPLES
def test_children_that_somebody_changed_are_put_right_and_make_nothing_unsafe(
    data: st.DataObject, world: int, wiped: bool
) -> None:
    """S11: forged labels, records and memories; what the apiserver's own schema lets through."""
    cluster = worlds()[world]
    body = {**body_of(cluster), **({"status": {}} if wiped else {})}
    children = [
        data.draw(noise.spoilt(child, keep=IDENTITY, required=REQUIRED, times=2, alike=True))
        for child in children_of(cluster)
    ]

    again(body, children, look(body, children))


@given(data=st.data(), world=st.sampled_from(range(1, 9)))
@EXAMPLES
def test_a_forged_memory_makes_nothing_unsafe(data: st.DataObject, world: int) -> None:
    """Whoever may edit a Service or a Deployment may write what a wiped status is rebuilt from."""
    cluster = worlds()[world]
    body, children = {**body_of(cluster), "status": {}}, children_of(cluster)
    for child in children:
        for annotation in (names.ANNOTATION_MEMORY, names.ANNOTATION_RECORD):
            if annotation in child["metadata"].get("annotations", {}):
                memory = json.loads(child["metadata"]["annotations"][annotation])
                child["metadata"]["annotations"][annotation] = json.dumps(data.draw(noise.spoilt(memory)))

    again(body, children, look(body, children))


@given(data=st.data(), cause=st.sampled_from(WORDS))
@EXAMPLES
def test_no_word_of_a_pod_ends_a_look(data: st.DataObject, cause: Path) -> None:
    """Whoever may write a pod's status may say anything in it; and kubelets of all ages do."""
    cluster = worlds()[2]
    words = data.draw(noise.spoilt(json.loads(cause.read_text()), required=REQUIRED, alike=True))
    body, children = body_of(cluster), children_of(cluster)
    revisions = [child["metadata"]["name"] for child in children if child["kind"] == "Deployment"]

    def labelled(kind: str) -> list[Body]:
        label = {names.LABEL_REVISION: data.draw(st.sampled_from(revisions))}
        return [{**each, "metadata": {**each.get("metadata", {}), "labels": label}} for each in words.get(kind, [])]

    look(body, children, pods=labelled("pods"), events=words.get("events", []), replica_sets=labelled("replicaSets"))


plain = noise.texts.filter(lambda text: "\x00" not in text)
answers = st.builds(ResolvedModel, uri=plain, requested=plain, version=plain, source=plain, run_id=plain)


@given(answer=answers, world=st.sampled_from(range(10)))
@EXAMPLES
def test_no_word_of_the_registry_ends_a_look(answer: ResolvedModel, world: int) -> None:
    cluster = worlds()[world]
    body, children = body_of(cluster), children_of(cluster)
    answer = answer.model_copy(update={"uri": body["spec"]["model"]["uri"]})

    look(body, children, answer)
    look(body, children, Unresolved(Reason.REGISTRY_UNAVAILABLE, answer.requested))


def test_the_checker_of_pods_knows_each_way_out() -> None:
    """What finds nothing has to be able to find: each change makes a pod that the profile forbids."""
    cluster = serving()
    pod = next(child for child in cluster.children.values() if child["kind"] == "Deployment")["spec"]["template"][
        "spec"
    ]
    assert restricted.violations(pod) == []
    assert restricted.liberties(pod) == []
    server: Body = pod["containers"][0]

    def changed(**fields: Any) -> Body:
        return {**pod, **fields}

    def hardened(**fields: Any) -> Body:
        return {**pod, "containers": [{**server, "securityContext": {**server["securityContext"], **fields}}]}

    def contained(**fields: Any) -> Body:
        return {**pod, "containers": [{**server, **fields}]}

    bad = [
        changed(hostNetwork=True),
        changed(hostPID=True),
        changed(hostIPC=True),
        changed(volumes=[{"name": "node", "hostPath": {"path": "/"}}]),
        changed(securityContext={**pod["securityContext"], "runAsNonRoot": False}),
        changed(securityContext={**pod["securityContext"], "runAsUser": 0}),
        changed(securityContext={**pod["securityContext"], "seccompProfile": {"type": "Unconfined"}}),
        changed(
            securityContext={**pod["securityContext"], "sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}
        ),
        changed(ephemeralContainers=[{"name": "debug"}]),
        hardened(privileged=True),
        hardened(allowPrivilegeEscalation=True),
        hardened(capabilities={"drop": ["NET_RAW"]}),
        hardened(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        hardened(procMount="Unmasked"),
        hardened(seLinuxOptions={"role": "sysadm_r"}),
        hardened(appArmorProfile={"type": "Unconfined"}),
        contained(ports=[{"containerPort": 8080, "hostPort": 80}]),
        contained(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
    ]
    assert [each for each in bad if not restricted.violations(each)] == []
    loose = [
        changed(automountServiceAccountToken=True),
        changed(volumes=[{"name": "s", "secret": {"secretName": "other"}}]),
        changed(volumes=[{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]),
        hardened(readOnlyRootFilesystem=False),
    ]
    assert [each for each in loose if not restricted.liberties(each)] == []
