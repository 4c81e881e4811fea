"""Whether what a plan would write is safe, whatever it was made from. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pure import restricted

from ferryman.api.modeldeployment import API_VERSION, KIND, ModelDeploymentSpec, ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.outcome import Plan
from ferryman.render import names
from ferryman.settings import Settings

Body = dict[str, Any]

LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
MOST_ANNOTATIONS = 256 * 1024
GUESTS_LIBERTY = "server may write to its image"
"""Somebody else's server may have to."""


def faults(
    owner: ObjectMeta, spec: ModelDeploymentSpec, observed: tuple[Body, ...], plan: Plan, settings: Settings
) -> list[str]:
    """Return everything that is wrong with a plan, in words."""
    found: list[str] = []
    for body in plan.objects:
        who = f"{body['kind']}/{body['metadata']['name']}"
        found += [f"{who}: {fault}" for fault in _child(owner, body)]
        found += [f"{who}: {fault}" for fault in _of_kind(owner, spec, body, settings)]
    found += [f"{scale}: not ours to scale" for scale in plan.scales if not 0 <= scale.replicas <= 1000]
    found += [f"removes {body['metadata']['name']}" for body in plan.removals if body not in observed]
    return [*found, *_status(plan.status)]


def _child(owner: ObjectMeta, body: Body) -> Iterator[str]:
    metadata = body["metadata"]
    reference_to_owner = {"apiVersion": API_VERSION, "kind": KIND, "name": owner.name, "uid": owner.uid}
    if metadata["namespace"] != owner.namespace:
        yield "is in another namespace"
    if metadata["ownerReferences"] != [{**reference_to_owner, "controller": True, "blockOwnerDeletion": True}]:
        yield "is not owned by us"
    if not LABEL.fullmatch(metadata["name"]):
        yield "has no legal name"
    if metadata["name"] != owner.name and not metadata["name"].startswith(f"{owner.name}-"):
        yield "has a name that is not ours to give"
    labels = metadata["labels"]
    if set(labels) - {names.LABEL_MANAGED_BY, names.LABEL_DEPLOYMENT, names.LABEL_REVISION}:
        yield "has labels of somebody else's"
    if labels[names.LABEL_DEPLOYMENT] != owner.name or not all(LABEL.fullmatch(value) for value in labels.values()):
        yield "has a forged label"
    if (
        sum(len(key) + len(value.encode()) for key, value in metadata.get("annotations", {}).items())
        > MOST_ANNOTATIONS
    ):
        yield "has annotations that are too large"


def _of_kind(owner: ObjectMeta, spec: ModelDeploymentSpec, body: Body, settings: Settings) -> Iterator[str]:
    match body["kind"]:
        case "Deployment":
            yield from _deployment(owner, body["spec"], settings)
        case "Service":
            yield from _service(owner, body["spec"])
        case "HorizontalPodAutoscaler":
            if not 1 <= body["spec"]["minReplicas"] <= body["spec"]["maxReplicas"] <= 1000:
                yield "has no sane bounds"
            if body["spec"]["scaleTargetRef"] != {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": body["metadata"]["name"],
            }:
                yield "scales something else"
        case "DestinationRule":
            yield from _inside(owner, body["spec"]["host"], settings)
        case "VirtualService":
            yield from _route(owner, spec, body["spec"], settings)
        case other:
            yield f"is a {other}"


def _deployment(owner: ObjectMeta, spec: Body, settings: Settings) -> Iterator[str]:
    template = spec["template"]
    selector = spec["selector"]["matchLabels"]
    if "replicas" in spec:
        yield "sets the number of pods"
    if selector[names.LABEL_DEPLOYMENT] != owner.name or set(selector) != {
        names.LABEL_DEPLOYMENT,
        names.LABEL_REVISION,
    }:
        yield "selects foreign pods"
    if not selector.items() <= template["metadata"]["labels"].items():
        yield "does not select its own pods"
    if template["metadata"].get("annotations"):
        yield "annotates its pods"
    pod = template["spec"]
    yield from restricted.violations(pod)
    guest = pod["containers"][0]["image"] != pod["initContainers"][0]["image"]
    yield from (liberty for liberty in restricted.liberties(pod) if not guest or liberty != GUESTS_LIBERTY)
    allowed = {
        *("automountServiceAccountToken", "enableServiceLinks", "securityContext", "terminationGracePeriodSeconds"),
        *("initContainers", "containers", "volumes", "tolerations"),
    }
    if set(pod) - allowed:
        yield f"sets {sorted(set(pod) - allowed)}"
    for volume in pod["volumes"]:
        claim = volume.get("persistentVolumeClaim", {"claimName": "a"})["claimName"]
        if not SUBDOMAIN.fullmatch(claim) or len(claim) > 253:
            yield f"mounts {claim!r}"
    for container in restricted.containers(pod):
        yield from _container(container, guest=guest and container["name"] == "server")


def _container(container: Body, *, guest: bool) -> Iterator[str]:
    if container.get("command", [])[:2] != ["python", "-m"] and not guest:
        yield f"runs {container.get('command')}"
    if not re.fullmatch(r"[a-z0-9][-A-Za-z0-9._/:@]*", container["image"]):
        yield f"pulls {container['image']!r}"
    for source in container.get("envFrom", []):
        name = source["secretRef"]["name"]
        if container["name"] != "fetch" or not SUBDOMAIN.fullmatch(name) or len(name) > 253:
            yield f"reads the Secret {name!r}"
    if not all(isinstance(entry.get("value", ""), str) for entry in container["env"]):
        yield "has an environment that is no text"
    if len({entry["name"] for entry in container["env"]}) < len(container["env"]):
        yield "is told something twice"
    for entry in container["env"]:
        named = entry.get("valueFrom", {"secretKeyRef": {"name": "a"}})["secretKeyRef"]["name"]
        if ("valueFrom" in entry) and entry["name"] != "FERRYMAN_CACHE_REDIS":
            yield f"reads a Secret for {entry['name']}"
        if not SUBDOMAIN.fullmatch(named) or len(named) > 253:
            yield f"reads the Secret {named!r}"


def _service(owner: ObjectMeta, spec: Body) -> Iterator[str]:
    selector = spec["selector"]
    if selector.get(names.LABEL_DEPLOYMENT) != owner.name or set(selector) - {
        names.LABEL_DEPLOYMENT,
        names.LABEL_REVISION,
    }:
        yield "selects foreign pods"
    if not all(LABEL.fullmatch(value) for value in selector.values()):
        yield "selects by no legal label"
    if spec["type"] != "ClusterIP" or set(spec) != {"type", "selector", "ports"}:
        yield "is open to the outside"


def _route(owner: ObjectMeta, spec: ModelDeploymentSpec, route: Body, settings: Settings) -> Iterator[str]:
    own = names.host(owner.name, owner.namespace, settings.cluster_domain)
    if route["hosts"] != [*spec.routing.hosts, own] or route["gateways"] != [*spec.routing.gateways, "mesh"]:
        yield "claims other hosts"
    for rule in route["http"]:
        weights = [destination["weight"] for destination in rule["route"]]
        if sum(weights) != 100 or not all(1 <= weight <= 100 for weight in weights):
            yield f"weights {weights}"
        for destination in rule["route"]:
            yield from _inside(owner, destination["destination"]["host"], settings)
        for mirror in rule.get("mirrors", []):
            yield from _inside(owner, mirror["destination"]["host"], settings)
            if not 0 < mirror["percentage"]["value"] <= 100:
                yield "mirrors an odd share"


def _inside(owner: ObjectMeta, host: str, settings: Settings) -> Iterator[str]:
    name, _, rest = host.partition(".")
    if not name.startswith(f"{owner.name}-") or rest != f"{owner.namespace}.svc.{settings.cluster_domain}":
        yield f"sends traffic to {host}"


def _status(status: ModelDeploymentStatus) -> Iterator[str]:
    written = json.loads(json.dumps(status.to_api()))
    if ModelDeploymentStatus.model_validate(written) != status:
        yield "the status does not come back as it was written"
    for claim in status.conditions:
        if not REASON.fullmatch(claim.reason) or len(claim.message) > 32768:
            yield f"the condition {claim.type} would be refused"
