"""The contract of each write, and of an autoscaler: what stands after it keeps every promise at that very moment."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from pure.looks import Key, Write
from pure.past import Past, recorded
from pure.view import left, name_of

from ferryman.render import names

if TYPE_CHECKING:
    from pure.simulation import Cluster

DRAIN = timedelta(seconds=10)


def of_a_write(past: Past, before: Cluster, cluster: Cluster, write: Write) -> Past:
    """Hold what stands after a write to the promises; `before` is the cluster as it stood."""
    if write.verb == "status":
        return recorded(past, write, cluster.now)
    if write.kind == "VirtualService":
        line_5_and_19_a_route_leads_to_what_is_there(cluster)
    if write.kind == "Deployment" and write.verb == "apply" and (write.kind, write.name) in before.children:
        old = before.children[write.kind, write.name]
        assert old["spec"]["template"] == write.body["spec"]["template"], f"line 10: {write.name} restarts its pods"
    if write.verb == "scale":
        line_3_and_4_pods_go_last(before, cluster, write)
    if write.verb == "delete":
        line_4_and_5_a_backend_goes_last(before, cluster, (write.kind, write.name))
    routed(cluster)
    return past


def line_5_and_19_a_route_leads_to_what_is_there(cluster: Cluster) -> None:
    route = cluster.route()
    assert route is not None
    weights = route.weights.values()
    assert sum(weights) == 100, f"weights do not sum to 100: {route.weights}"
    assert all(isinstance(weight, int) and weight > 0 for weight in weights), f"not whole: {route.weights}"
    assert not route.mirrors.keys() & route.weights.keys(), "mirrored and weighted at once"
    for name in {*route.weights, *route.mirrors, *filter(None, (route.matched,))}:
        by_hand = name in cluster.deleted_by_hand
        assert cluster.addressed(name) or by_hand, f"{name} is routed and has no address"
        assert ("Deployment", name) in cluster.children or by_hand, f"{name} is routed and has no Deployment"


def line_3_and_4_pods_go_last(before: Cluster, cluster: Cluster, write: Write) -> None:
    name = write.name
    had, has = before.desired.get(name, 0), cluster.desired.get(name, 0)
    route, stable = cluster.route(), name_of(cluster.status.stable)
    if has >= had:
        return
    rollout = cluster.spec.get("rollout", {})
    if has == 0 and name == stable:
        assert rollout.get("allowDowntime"), f"the stable revision {name} is scaled to 0"
    elif has == 0:
        assert route is None or not route.names(name), f"{name} is routed, and scaled to 0"
        if write.look.observed.backend(name).available:  # a pod that never was ready drains nothing
            _drained(cluster, name)
    elif route is not None and name == name_of(cluster.status.candidate):
        scaling, run = cluster.resource().spec.scaling, cluster.status.run
        full = min(max(scaling.least, cluster.desired.get(stable or "", 0)), max(scaling.most, scaling.least))
        if rollout.get("surge") == "NoSurge" and run is not None:
            full = max(run.full - 1, 1)
        least = math.ceil(full * route.weights.get(name, 0) / 100)
        assert has >= min(least, had), f"{name} has {route.weights.get(name)} % and is taken from {had} to {has} pods"


def line_4_and_5_a_backend_goes_last(before: Cluster, cluster: Cluster, key: Key) -> None:
    kind, name = key
    if kind == "HorizontalPodAutoscaler":
        return  # the pods stay
    revision = before.children[key]["metadata"]["labels"][names.LABEL_REVISION]
    route = before.route()
    assert route is None or not route.names(revision), f"{kind} {name} was removed while the route names it"
    assert revision != name_of(cluster.status.stable), f"{kind} {name} of the stable revision was removed"
    if kind == "Deployment":
        _drained(cluster, name)
        cluster.routed.discard(name)
        cluster.unrouted_since.pop(name, None)


def _drained(cluster: Cluster, name: str) -> None:
    since = cluster.unrouted_since.get(name)
    if since is not None:
        waited = cluster.now - since
        assert waited >= DRAIN, f"line 4: the pods of {name} go {waited.total_seconds()} s after its traffic"


def routed(cluster: Cluster) -> None:
    """Remember since when the route, and without Istio the front Service, has been without each revision."""
    route, front = cluster.route(), cluster.children.get(("Service", "fraud"))
    served = front["spec"]["selector"][names.LABEL_REVISION] if front is not None else None
    for kind, name in cluster.children:
        if kind == "Deployment":
            if name == served or (route is not None and route.names(name)):
                cluster.routed.add(name)
                cluster.unrouted_since.pop(name, None)
            elif not cluster.available.get(name):  # no pod is left that ever had a request
                cluster.routed.discard(name)
                cluster.unrouted_since.pop(name, None)
            elif name in cluster.routed:
                cluster.unrouted_since.setdefault(name, cluster.now)


def of_an_autoscaler(before: Cluster, cluster: Cluster, name: str) -> None:
    """Lines 3 and 16: while a run lasts, no autoscaler takes pods from stable that its share needs."""
    run, route, rollout = cluster.status.run, cluster.route(), cluster.spec.get("rollout", {})
    had, has = before.desired[name], cluster.desired[name]
    alone = route is None or set(route.weights) <= {name}
    if name != name_of(cluster.status.stable) or run is None or has >= had or alone:
        return
    if rollout.get("surge") == "NoSurge":
        share = route.weights.get(name, 0) if route is not None else 0
        assert has >= max(1, left(run.full, share) - 1), f"stable has {share} % and is cut to {has} pods"
    else:
        assert has >= run.full, f"an autoscaler took stable from {had} to {has} of {run.full} pods"
