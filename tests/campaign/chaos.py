"""What others may do to the cluster while a canary rests at 50 %: operator-chaos' types of injection, by its names.

Each injection is what a person or a program with rights could do by mistake. Afterwards the operator is to put
everything back by itself, as it was before, within the bound of the campaign.

Not here: WebhookLatency, NetworkPartition and ClientFault are storms of the fault proxy; LeaderElectionDisrupt and
NamespaceDeletion are tests of the api tier. Not applicable: SecretDeletion and ConfigMaps (the operator reads none),
OLMLifecycle (it is not installed by OLM).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from campaign.stage import NAME, Stage
from ferryman.cluster import kinds
from ferryman.cluster.kinds import Kind
from ferryman.render import names

Injection = Callable[[Stage], Awaitable[None]]

WHILE_SECONDS = 4.0
"""How long a condition that others cause is left standing before it is taken away."""

CHILDREN: tuple[tuple[Kind, str], ...] = (
    (kinds.DEPLOYMENT, "candidate"),
    (kinds.SERVICE, "candidate"),
    (kinds.SERVICE, "canary"),
    (kinds.AUTOSCALER, "candidate"),
    (kinds.DESTINATION_RULE, "candidate"),
    (kinds.DESTINATION_RULE, "canary"),
    (kinds.DEPLOYMENT, "stable"),
    (kinds.SERVICE, "stable"),
    (kinds.AUTOSCALER, "stable"),
    (kinds.DESTINATION_RULE, "stable"),
    (kinds.SERVICE, "front"),
    (kinds.VIRTUAL_SERVICE, "front"),
)
"""Every child that stands at 50 %, by its kind and whose it is."""

QUOTA = Kind("ResourceQuota", "", "v1", "resourcequotas")
BUDGET = Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
BINDING = Kind("RoleBinding", "rbac.authorization.k8s.io", "v1", "rolebindings")


def named(stage: Stage, whose: str) -> str:
    """Return the name of a child."""
    if whose == "front":
        return NAME
    return names.canary(stage.revision("candidate")) if whose == "canary" else stage.revision(whose)


def _delete(kind: Kind, whose: str) -> Injection:
    async def inject(stage: Stage) -> None:
        await stage.api.delete(kind, stage.namespace, named(stage, whose))

    return inject


async def _delete_all(stage: Stage) -> None:
    await asyncio.gather(*(stage.api.delete(kind, stage.namespace, named(stage, whose)) for kind, whose in CHILDREN))


def _patch(kind: Kind, whose: str, change: dict[str, Any]) -> Injection:
    async def inject(stage: Stage) -> None:
        await stage.api.patch(kind, stage.namespace, named(stage, whose), change)

    return inject


def _container(change: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "server", **change}]}}}}


def _edit_container(whose: str, change: dict[str, Any]) -> Injection:
    async def inject(stage: Stage) -> None:
        path = kinds.DEPLOYMENT.path(stage.namespace, named(stage, whose))
        body = _container(change)
        await stage.api.call("PATCH", path, body, content_type="application/strategic-merge-patch+json")

    return inject


def _kill(whose: str) -> Injection:
    async def inject(stage: Stage) -> None:
        revision = stage.revision(whose)
        pods = await stage.api.list(kinds.POD, stage.namespace, f"{names.LABEL_REVISION}={revision}")
        await asyncio.gather(*(stage.api.delete(kinds.POD, stage.namespace, pod["metadata"]["name"]) for pod in pods))

    return inject


def _scale_to_zero(whose: str) -> Injection:
    async def inject(stage: Stage) -> None:
        change = {"spec": {"replicas": 0}}
        await stage.api.patch(kinds.DEPLOYMENT, stage.namespace, named(stage, whose), change, "scale")

    return inject


def _block(kind: Kind, whose: str) -> Injection:
    """A foreign finalizer holds a deletion up."""

    async def inject(stage: Stage) -> None:
        name = named(stage, whose)
        await stage.api.patch(kind, stage.namespace, name, {"metadata": {"finalizers": ["example.com/holds"]}})
        await stage.api.delete(kind, stage.namespace, name)
        await asyncio.sleep(WHILE_SECONDS)
        await stage.api.patch(kind, stage.namespace, name, {"metadata": {"finalizers": None}})

    return inject


async def _revoke(stage: Stage) -> None:
    """The operator's rights are gone while the number is moved there and back."""
    (binding,) = [
        each for each in await stage.api.list(BINDING, stage.namespace) if "lease" not in each["metadata"]["name"]
    ][:1]
    name, subjects = binding["metadata"]["name"], binding["subjects"]
    await stage.api.patch(BINDING, stage.namespace, name, {"subjects": []})
    await stage.canary(20)
    await asyncio.sleep(WHILE_SECONDS)
    await stage.canary(50)
    await stage.api.patch(BINDING, stage.namespace, name, {"subjects": subjects})


async def _exhaust(stage: Stage) -> None:
    """No further pod is allowed while the candidate's are killed."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "nothing", "namespace": stage.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    await stage.api.create(QUOTA, quota)
    await _kill("candidate")(stage)
    await asyncio.sleep(WHILE_SECONDS)
    await stage.api.delete(QUOTA, stage.namespace, "nothing")


async def _forbid_disruption(stage: Stage) -> None:
    """A budget allows no disruption; the operator evicts nothing, and does not mind."""
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "none", "namespace": stage.namespace},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {names.LABEL_DEPLOYMENT: NAME}}},
    }
    await stage.api.create(BUDGET, budget)
    await stage.canary(20)
    await stage.until(lambda: stage.stands("Canary", "80/20"), "the number moves under a budget")
    await stage.canary(50)
    await stage.api.delete(BUDGET, stage.namespace, "none")


async def _mutate(stage: Stage) -> None:
    """Somebody moves the number there and back, faster than it can be followed."""
    for percent in (20, 80, 0, 10, 50):
        await stage.canary(percent)


async def _wipe_status(stage: Stage) -> None:
    await stage.api.patch(kinds.MODEL_DEPLOYMENT, stage.namespace, NAME, {"status": None}, "status")


def _orphan_pods(whose: str) -> Injection:
    """Their labels are taken from the pods: nothing counts them any more, until somebody deletes them."""

    async def inject(stage: Stage) -> None:
        revision = stage.revision(whose)
        pods = await stage.api.list(kinds.POD, stage.namespace, f"{names.LABEL_REVISION}={revision}")
        found = [pod["metadata"]["name"] for pod in pods]
        await asyncio.gather(*(stage.api.patch(kinds.POD, stage.namespace, name, NO_LABELS) for name in found))
        await asyncio.sleep(WHILE_SECONDS)
        await asyncio.gather(*(stage.api.delete(kinds.POD, stage.namespace, name) for name in found))

    return inject


NO_LABELS = {"metadata": {"labels": None}}
NO_OWNER = {"metadata": {"ownerReferences": None}}
FALSE_OWNER = {
    "metadata": {
        "ownerReferences": [
            {
                "apiVersion": kinds.MODEL_DEPLOYMENT.api_version,
                "kind": kinds.MODEL_DEPLOYMENT.name,
                "name": NAME,
                "uid": "00000000-0000-4000-8000-000000000000",
                "controller": True,
            }
        ]
    }
}
"""As a backup that is put back gives it: the garbage collector takes what belongs to somebody who is not there."""
STRANGER = {"spec": {"selector": {"app": "stranger"}}}


def _each(change: dict[str, Any]) -> dict[str, Injection]:
    return {f"{kind.plural}-{whose}": _patch(kind, whose, change) for kind, whose in CHILDREN}


TYPES: dict[str, dict[str, Injection]] = {
    "PodKill": {"candidate": _kill("candidate"), "stable": _kill("stable")},
    "ResourceDeletion": {
        **{f"{kind.plural}-{whose}": _delete(kind, whose) for kind, whose in CHILDREN},
        "all": _delete_all,
    },
    "LabelStomping": {
        **_each(NO_LABELS),
        "pods-candidate": _orphan_pods("candidate"),
        "pods-stable": _orphan_pods("stable"),
    },
    "OwnerRefOrphan": _each(NO_OWNER),
    "OwnerRefFalse": _each(FALSE_OWNER),
    "DeploymentScaleZero": {"candidate": _scale_to_zero("candidate"), "stable": _scale_to_zero("stable")},
    "ImageCorrupt": {
        whose: _edit_container(whose, {"image": "nowhere.invalid/no:such"}) for whose in ("candidate", "stable")
    },
    "CrashLoopInject": {whose: _edit_container(whose, {"command": ["false"]}) for whose in ("candidate", "stable")},
    "ConfigDrift": {
        "front-selector": _patch(kinds.SERVICE, "front", STRANGER),
        "stable-selector": _patch(kinds.SERVICE, "stable", STRANGER),
        "autoscaler": _patch(kinds.AUTOSCALER, "stable", {"spec": {"minReplicas": 1, "maxReplicas": 1}}),
        "route": _patch(kinds.VIRTUAL_SERVICE, "front", {"spec": {"http": None}}),
        "rule": _patch(kinds.DESTINATION_RULE, "stable", {"spec": {"host": "elsewhere.example.com"}}),
    },
    "CRDMutation": {"number": _mutate, "status": _wipe_status},
    "FinalizerBlock": {
        "services-stable": _block(kinds.SERVICE, "stable"),
        "destinationrules-candidate": _block(kinds.DESTINATION_RULE, "candidate"),
        "virtualservices-front": _block(kinds.VIRTUAL_SERVICE, "front"),
    },
    "QuotaExhaustion": {"pods": _exhaust},
    "RBACRevoke": {"binding": _revoke},
    "PDBBlock": {"none-at-all": _forbid_disruption},
}
"""The injections of each type."""


def injection(name: str) -> Injection:
    """Return an injection by `Type/variant`."""
    kind, variant = name.split("/", 1)
    return TYPES[kind][variant]


async def inject(name: str, stage: Stage) -> None:
    """Do it, and wait until it is seen to have been done."""
    await injection(name)(stage)
