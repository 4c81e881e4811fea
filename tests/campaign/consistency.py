"""Acto's consistency: what stands in the spec stands in the children, property by property.

Two runs of one operator cannot tell that it ignores a property: it ignores it in both. So for each property of the
schema a line of `SHOWS` says where it shows, in words of Kubernetes and Istio and not by the operator's own code.
Those that only decide what happens next are `UNSEEN`; a test sees to it that every property is in one of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from kubernetes.utils import parse_quantity

from campaign.standing import Standing

Body = dict[str, Any]
Found = tuple[Any, Any] | None
"""What the spec wants and what stands; None where the property does not show now."""
Show = Callable[[Standing, str], Found]


def faults(standing: Standing) -> Iterator[str]:
    """Say of which properties the children tell something else than the spec."""
    for path, show in SHOWS.items():
        found = show(standing, path)
        if found is not None and found[0] != found[1]:
            yield f"{path} is {found[0]!r} in the spec, and {found[1]!r} stands"


# --- in the pods of what the spec names -----------------------------------------------------


def _variable(standing: Standing, path: str, *, name: str, silent: Any = None) -> Found:
    """A variable of the server's; none for the value that needs none."""
    wanted, says = standing.wanted(path), _environment(standing.wished)
    if says is None:
        return None
    return None if wanted in (None, silent) else str(wanted), says.get(name)


def _resources(standing: Standing, path: str) -> Found:
    server = _container(standing.wished, "server")
    if server is None:
        return None
    stands = server.get("resources", {}).get(path.rpartition(".")[2], {})
    return _amounts(standing.wanted(path) or {}), _amounts(stands)


def _secret(standing: Standing, path: str) -> Found:
    """Only the step that fetches the model gets the Secret."""
    fetch = _container(standing.wished, "fetch")
    if fetch is None:
        return None
    wanted = standing.wanted(path)
    return [wanted] if wanted else [], [each["secretRef"]["name"] for each in fetch.get("envFrom", [])]


def _cache(standing: Standing, path: str) -> Found:
    wish, says = standing.wanted(path), _environment(standing.wished)
    if says is None:
        return None
    stands = says.get("FERRYMAN_CACHE_BYTES"), says.get("FERRYMAN_CACHE_TTL_SECONDS")
    if wish is None:
        return (None, None), stands
    return (str(int(parse_quantity(wish["memory"]))), str(wish["ttlSeconds"])), stands


def _environment(deployment: Body | None) -> Body | None:
    server = _container(deployment, "server")
    return None if server is None else {each["name"]: each.get("value") for each in server["env"]}


def _container(deployment: Body | None, name: str) -> Body | None:
    if deployment is None:
        return None
    pod = deployment["spec"]["template"]["spec"]
    return next(each for each in (*pod["initContainers"], *pod["containers"]) if each["name"] == name)


def _amounts(amounts: Body) -> Body:
    return {name: parse_quantity(amount) for name, amount in amounts.items()}


# --- how many there are ---------------------------------------------------------------------


def _fixed(standing: Standing, path: str) -> Found:
    """A fixed number of pods, and no autoscaler; while a second revision is there, the two may share it."""
    number = standing.wanted(path)
    found = "an autoscaler" if standing.stable in standing.autoscalers else "no autoscaler"
    if number is None:
        return "an autoscaler", found
    if found != "no autoscaler" or standing.rolls:
        return "no autoscaler", found
    return number, standing.deployments[standing.stable]["spec"]["replicas"]


def _bound(standing: Standing, path: str, *, name: str) -> Found:
    """A bound of the stable revision's autoscaler; a rollout may keep stable larger."""
    scaler = standing.autoscalers.get(standing.stable)
    if scaler is None or standing.rolls:
        return None
    return standing.wanted(path), scaler["spec"][name]


def _utilization(standing: Standing, path: str) -> Found:
    aims = {
        each["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]
        for each in standing.autoscalers.values()
    }
    return {standing.wanted(path)} if aims else set(), aims


def _history(standing: Standing, path: str) -> Found:
    """No more revisions are kept for a way back than the spec says."""
    kept = len(standing.status.get("history") or [])
    most = standing.wanted(path)
    return min(kept, most), kept


def _cold(standing: Standing, path: str) -> Found:
    """What is kept for a way back has no pods, unless it is to stand by."""
    if standing.wanted(path) or standing.status.get("retiring"):
        return None
    names = [each["revision"]["revision"] for each in standing.status.get("history") or []]
    stand = [name for name in names if name in standing.deployments]
    return [0] * len(stand), [standing.deployments[name]["spec"]["replicas"] for name in stand]


# --- in the route ---------------------------------------------------------------------------


def _hosts(standing: Standing, path: str) -> Found:
    """The route is for the spec's hosts, and for the name within the cluster."""
    return standing.wanted(path) or [], [host for host in standing.route["hosts"] if ".svc." not in host]


def _gateways(standing: Standing, path: str) -> Found:
    return [*(standing.wanted(path) or []), "mesh"], standing.route["gateways"]


def _percent(standing: Standing, path: str) -> Found:
    """The candidate's share is the one that is wanted."""
    wanted, share = standing.wanted(path), _candidates_weight(standing)
    if wanted is None or standing.status["phase"] != "Canary" or not standing.arrived:
        return None
    return wanted, share


def _steps(standing: Standing, path: str) -> Found:
    """A share that rests is one of the steps'."""
    steps, share = standing.wanted(path), _candidates_weight(standing)
    if not steps or standing.status["phase"] != "Canary" or not standing.arrived:
        return None
    wanted = [step["trafficPercent"] for step in steps]
    return (share if share in wanted else wanted), share


def _match(standing: Standing, path: str) -> Found:
    """A candidate that serves gets the chosen requests."""
    wish = standing.wanted(path) or []
    if standing.status["phase"] not in {"Dark", "Shadowing", "Canary"} or not standing.arrived:
        return None
    conditions = [each.get("headers", {}) for rule in standing.route["http"] for each in rule.get("match", [])]
    found = {name: how for headers in conditions for name, how in headers.items() if name != "content-type"}
    wanted = {header["name"]: {"exact": header["exact"]} for each in wish for header in each["headers"]}
    return wanted, found


def _mirror(standing: Standing, path: str) -> Found:
    """A candidate that is shadowing is sent copies of so many requests in a hundred."""
    wish = standing.wanted("rollout.shadow")
    if wish is None or standing.status["phase"] != "Shadowing" or not standing.arrived:
        return None
    candidate = standing.status["candidate"]["revision"]
    copied = {
        mirror["percentage"]["value"]
        for rule in standing.route["http"]
        for mirror in rule.get("mirrors", [])
        if mirror["destination"]["host"].startswith(candidate)
    }
    return {standing.wanted(path)}, copied


def _candidates_weight(standing: Standing) -> int:
    candidate = (standing.status.get("candidate") or {}).get("revision", "?")
    rule = standing.route["http"][-1]
    return sum(each["weight"] for each in rule["route"] if each["destination"]["host"].startswith(candidate))


SHOWS: dict[str, Show] = {
    "model.uri": partial(_variable, name="FERRYMAN_MODEL_URI"),
    "model.format": partial(_variable, name="FERRYMAN_MODEL_FORMAT"),
    "model.digest": partial(_variable, name="FERRYMAN_MODEL_DIGEST"),
    "model.secretName": _secret,
    "server.resources.requests": _resources,
    "server.resources.limits": _resources,
    "server.batching.maxBatchSize": partial(_variable, name="FERRYMAN_MAX_BATCH_SIZE"),
    "server.warmup.requests": partial(_variable, name="FERRYMAN_WARMUP_REQUESTS"),
    "server.optimize": partial(_variable, name="FERRYMAN_OPTIMIZE", silent="auto"),
    "server.workers": partial(_variable, name="FERRYMAN_WORKERS"),
    "server.cache": _cache,
    "server.sampling.percent": partial(_variable, name="FERRYMAN_SAMPLE_PERCENT"),
    "scaling.replicas": _fixed,
    "scaling.minReplicas": partial(_bound, name="minReplicas"),
    "scaling.maxReplicas": partial(_bound, name="maxReplicas"),
    "scaling.targetCPUUtilization": _utilization,
    "routing.hosts": _hosts,
    "routing.gateways": _gateways,
    "rollout.canary.trafficPercent": _percent,
    "rollout.canary.steps": _steps,
    "rollout.canary.match": _match,
    "rollout.shadow.percent": _mirror,
    "rollout.history": _history,
    "rollout.standbySeconds": _cold,
}
"""Where each property shows."""

UNSEEN: dict[str, str] = {
    "model.registry.trackingURI": "is for models of a registry, and the chains' come from a bucket",
    "model.registry.writeBack": "is for models of a registry",
    "model.registry.stableAlias": "is for models of a registry",
    "model.registry.onRollback": "is for models of a registry",
    "rollout.shadow.uri": "is for models of a registry",
    "server.image": "never changes alone",
    "server.container": "never changes alone",
    "rollout.promotion": "has one value",
    "rollout.deadlineSeconds": "only waits",
    "rollout.surge": "decides how pods are divided, and the journeys of the pure tier count them",
    "rollout.allowDowntime": "allows what an oracle forbids",
    "rollout.allowBreaking": "is for models with signatures, and these have none",
}
"""Properties that show in no child, each with the reason."""
