"""What was observed, in the words of status. Nothing here was wished for."""

from __future__ import annotations

from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.revision import Retiring, Revision
from ferryman.api.status import Traffic
from ferryman.observed import Observed
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split


def matches(observed: Observed, split: Split) -> bool:
    """Tell whether the route that stands says what the split says."""
    route = observed.route
    if route is None:
        return False
    wanted = {split.stable: split.stable_weight}
    if split.candidate is not None:
        wanted[split.candidate] = split.candidate_weight
    wanted = {revision: weight for revision, weight in wanted.items() if weight > 0}
    return (
        dict(route.weights) == wanted
        and dict(route.mirrors) == split.mirrors
        and route.matched == (split.candidate if split.matched else None)
    )


def seen_traffic(world: World) -> Traffic | None:
    """Return the split as the route says it; without Istio, what the front Service gives."""
    stable, candidate, route = world.record.stable, world.record.candidate, world.observed.route
    if stable is None:
        return None
    if route is None:
        share = 100 if not world.observed.mesh and world.observed.front == stable.revision else 0
        return Traffic(stable=share, display=f"{share}/0", shadow_display="-")
    candidate_name = candidate.revision if candidate is not None else ""
    of_candidate = route.weights.get(candidate_name, 0)
    of_stable = route.weights.get(stable.revision, 0)
    of_others = sum(route.weights.values()) - of_stable  # a candidate's, or that of one which is just leaving
    shadow = route.mirrors.get(candidate_name, 0)
    challenger = world.record.challenger
    copied = route.mirrors.get(challenger.revision, 0) if challenger is not None else 0
    return Traffic(
        stable=of_stable,
        candidate=of_candidate,
        shadow=shadow,
        challenger=copied,
        matched=route.matched == candidate_name,
        display=f"{of_stable}/{of_others}",
        shadow_display="+".join(f"{share}%" for share in (shadow, copied) if share) or "-",
    )


def counted(revision: Revision | None, observed: Observed) -> Revision | None:
    """Return the revision with the number of its pods that serve now."""
    if revision is None:
        return None
    return revision.model_copy(update={"ready_replicas": observed.backend(revision.revision).available})


def left(each: Retiring, observed: Observed) -> Retiring:
    """Return a revision that lost its role with the number of its pods that serve now."""
    return each.model_copy(update={"revision": counted(each.revision, observed)})


def url(owner: ObjectMeta, spec: ModelDeploymentSpec, domain: str) -> str:
    """Return where clients find the model: its first host, or its Service."""
    if spec.routing.hosts:
        return f"http://{spec.routing.hosts[0]}"
    return f"http://{owner.name}.{owner.namespace}.svc.{domain}"
