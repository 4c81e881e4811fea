"""Line 18 of the contract: whatever happened on the way, where it ends when nothing happens any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pure.view import name_of

from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.render import names

if TYPE_CHECKING:
    from pure.simulation import Cluster


def _no_surge(cluster: Cluster) -> bool:
    return bool(cluster.spec.get("rollout", {}).get("surge") == "NoSurge")


def at_rest(cluster: Cluster) -> None:
    """Line 18: whatever happened on the way, this is where it ends when nothing happens any more."""
    writes, status = cluster.writes, cluster.status
    for _ in range(3):
        cluster.wait(301)
        cluster.reconcile()
    assert cluster.writes == writes, "it writes although nothing changed"
    assert ModelDeploymentStatus.model_validate(status.to_api()) == status, "the status is read as it was not written"
    assert status.stable is not None, f"nothing serves: {status.phase}"
    assert not status.retiring, "a revision is leaving for ever"
    asked = cluster.spec["model"]["uri"]
    held = status.rejected is not None or status.withdrawn is not None
    assert held or asked in (cluster.stable, cluster.candidate), f"{asked} is asked for and forgotten"
    _rest_of_the_pods(cluster)
    _rest_of_the_objects(cluster)
    _rest_of_the_traffic(cluster)
    _rest_of_the_challenger(cluster)


def _rest_of_the_pods(cluster: Cluster) -> None:
    status = cluster.status
    stable, candidate = name_of(status.stable), name_of(status.candidate)
    wanted = {name for name, pods in cluster.desired.items() if pods}
    assert stable in wanted, "stable rests without a pod"
    roles = {stable, candidate, name_of(status.challenger)}
    assert wanted <= roles, f"needless pods: {wanted - roles}"
    if candidate is not None and not _no_surge(cluster) and not _held_for_callers(cluster):
        assert candidate in wanted, "the candidate rests without a pod"
    if status.run is None:
        scaling = cluster.resource().spec.scaling
        pods, most = cluster.desired[stable or ""], max(scaling.least, scaling.most)
        assert scaling.least <= pods <= most, f"stable rests with {pods} pods, outside {scaling.least} to {most}"


def _held_for_callers(cluster: Cluster) -> bool:
    """Tell whether a candidate may not begin because it would break those who call stable."""
    run, allowed = cluster.status.run, cluster.resource().spec.rollout.allow_breaking
    return run is not None and bool(run.breaks) and not allowed and cluster.status.phase is Phase.STARTING


def _rest_of_the_objects(cluster: Cluster) -> None:
    status = cluster.status
    serving = {name_of(each) for each in (status.stable, status.candidate, status.challenger)} - {None}
    known = serving | {each.revision.revision for each in status.history}
    for kind, name in cluster.children:
        if (kind, name) in {("Service", "fraud"), ("VirtualService", "fraud")}:
            continue
        revision = name.removesuffix(names.CANARY_SUFFIX)
        assert revision in (known if kind == "Deployment" else serving), f"a needless {kind} {name}"


def _rest_of_the_challenger(cluster: Cluster) -> None:
    status, route = cluster.status, cluster.route()
    shadow, challenger = cluster.resource().spec.rollout.challenger, status.challenger
    if shadow is None or not cluster.mesh:
        assert challenger is None, f"{challenger} is the challenger, and nobody asks for one"
        return
    serving = [each.model.uri for each in (status.stable, status.candidate) if each is not None]
    assert (challenger is None) == (shadow.uri in serving), f"{shadow.uri} is asked for, and {challenger} is there"
    if challenger is not None and route is not None:
        share = shadow.percent if cluster.available.get(challenger.revision) else 0
        assert challenger.model.uri == shadow.uri, f"{challenger.model.uri} is the challenger"
        assert route.mirrors.get(challenger.revision, 0) == share, f"the challenger rests with {route.mirrors}"


def _rest_of_the_traffic(cluster: Cluster) -> None:
    status, route = cluster.status, cluster.route()
    stable, candidate, run = name_of(status.stable), name_of(status.candidate), status.run
    front = cluster.children["Service", "fraud"]["spec"]["selector"][names.LABEL_REVISION]
    assert front == stable, "the front Service leads elsewhere"
    if candidate is None:
        assert status.phase is Phase.STABLE, f"at rest in {status.phase} without a candidate"
        assert run is None, "a run without a candidate rests"
        assert route is None or dict(route.weights) == {stable: 100}, f"at rest: {route}"
        assert route is None or set(route.mirrors) <= {name_of(status.challenger)}, f"at rest: {route}"
    elif status.phase is Phase.STARTING:
        assert run is not None, "a candidate rests while it starts"
        assert run.held_since is not None, f"a candidate rests while it starts, and nobody holds it: {status.waiting}"
    if (
        candidate is None
        and status.rejected is None
        and status.withdrawn is None
        and cluster.available.get(stable or "")
    ):
        assert cluster.condition("Ready")[0] == "True", (
            f"all is as asked, and Ready says {cluster.condition('Ready')}"
        )
