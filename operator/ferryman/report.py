"""What is true now, in the words of status: verdicts for conditions, notices for people.

Facts come from what was observed; only what was decided comes from the record. `Ready` is computed from the other
verdicts, so it cannot say more than they do.
"""

from __future__ import annotations

from ferryman.api.conditions import ConditionType, Reason, Status, Verdict
from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.status import Phase, ResolvedModel, Revision, Traffic
from ferryman.observed import Observed
from ferryman.outcome import Unresolved
from ferryman.rollout import traffic
from ferryman.rollout.record import World
from ferryman.rollout.traffic import Split


def verdicts(
    world: World, resolved: ResolvedModel | Unresolved, split: Split | None, spec: ModelDeploymentSpec
) -> list[Verdict]:
    """Return every claim about the object, `Ready` last."""
    claims = [
        _verdict(ConditionType.ACCEPTED, "True", Reason.ACCEPTED, "the spec is understood"),
        _resolved(resolved),
        _available(world),
        _routed(world, split),
        _candidate_healthy(world, spec),
    ]
    return [*claims, _ready(world, claims)]


def _verdict(kind: ConditionType, status: Status, reason: Reason, message: str) -> Verdict:
    return Verdict(type=kind, status=status, reason=reason, message=message)


def _resolved(resolved: ResolvedModel | Unresolved) -> Verdict:
    kind = ConditionType.MODEL_RESOLVED
    if isinstance(resolved, Unresolved):
        unknown = resolved.reason is Reason.REGISTRY_UNAVAILABLE
        return _verdict(kind, "Unknown" if unknown else "False", resolved.reason, resolved.message)
    same = resolved.requested == resolved.uri
    message = resolved.uri if same else f"{resolved.requested} is {resolved.uri}"
    return _verdict(kind, "True", Reason.RESOLVED, message)


def _available(world: World) -> Verdict:
    kind, stable = ConditionType.AVAILABLE, world.record.stable
    if stable is None:
        return _verdict(kind, "False", Reason.NO_STABLE, "no revision has become ready yet")
    backend = world.backend(stable)
    if backend.available == 0 or not backend.addressed:
        why = f": {backend.obstacle.message}" if backend.obstacle else ""
        return _verdict(kind, "False", Reason.STABLE_SHORT, f"{stable.revision} has no ready pod{why}")
    return _verdict(kind, "True", Reason.STABLE_SERVES, f"{stable.revision} serves")


def _routed(world: World, split: Split | None) -> Verdict:
    kind = ConditionType.ROUTED
    if split is None:
        return _verdict(kind, "False", Reason.NO_STABLE, "there is no revision to route to yet")
    if not world.observed.mesh:
        wants_split = world.record.candidate is not None and traffic.target(world.rollout) < 100
        return _verdict(
            kind,
            "False" if wants_split else "True",
            Reason.MESH_MISSING,
            "the cluster has no Istio: the Service serves the stable revision, and traffic can be neither split nor "
            "mirrored; install Istio, or set spec.rollout.canary.trafficPercent to 100 to promote",
        )
    if matches(world.observed, split):
        return _verdict(kind, "True", Reason.ROUTE_PROGRAMMED, "the route is as the rollout asks")
    return _verdict(kind, "False", Reason.ROUTE_PENDING, "the route is being written")


def matches(observed: Observed, split: Split) -> bool:
    """Tell whether the route that stands says what the split says."""
    route = observed.route
    if route is None:
        return False
    wanted = {split.stable: split.stable_weight}
    if split.candidate is not None:
        wanted[split.candidate] = split.candidate_weight
    wanted = {revision: weight for revision, weight in wanted.items() if weight > 0}
    mirror = split.candidate if split.mirror_percent > 0 else None
    return (
        dict(route.weights) == wanted
        and route.mirror == mirror
        and (mirror is None or route.mirror_percent == split.mirror_percent)
    )


def _candidate_healthy(world: World, spec: ModelDeploymentSpec) -> Verdict:
    kind, record, wish = ConditionType.CANDIDATE_HEALTHY, world.record, world.wish
    if record.rejected is not None and record.candidate is None:
        rejected = record.rejected
        return _verdict(
            kind, "False", Reason(rejected.reason), f"{rejected.revision} was rolled back: {rejected.message}"
        )
    candidate = record.candidate
    if candidate is None:
        if wish is not None and record.withdrawn == wish.revision:
            message = f"{wish.revision} was taken back to 0 %; raise the number or name another model"
            return _verdict(kind, "False", Reason.CANDIDATE_WITHDRAWN, message)
        return _verdict(kind, "True", Reason.NO_CANDIDATE, "there is nothing to roll out")
    backend = world.backend(candidate)
    wanted = max(traffic.target(spec.rollout), traffic.mirror_target(spec.rollout))
    needed = traffic.pods_for(world, wanted) if record.stable is not None else 1
    if backend.addressed and backend.available >= needed:
        return _verdict(kind, "True", Reason.CANDIDATE_READY, f"{candidate.revision} has the pods it needs")
    if backend.obstacle is not None:
        message = f"{candidate.revision}: {backend.obstacle.message}"
        return _verdict(kind, "False", backend.obstacle.reason, message)
    have = f"{candidate.revision} has {backend.available} of the {needed} pods it needs"
    if backend.available > 0:
        return _verdict(kind, "Unknown", Reason.CANDIDATE_SHORT, have)
    return _verdict(kind, "Unknown", Reason.CANDIDATE_STARTING, have)


AS_ASKED = frozenset({Phase.STABLE, Phase.CANARY, Phase.SHADOWING, Phase.DARK})
"""The phases in which a rollout rests where the spec wants it."""


def _ready(world: World, claims: list[Verdict]) -> Verdict:
    """Everything else holds, and the rollout rests where the spec wants it."""
    broken = next((claim for claim in claims if claim.status != "True"), None)
    if broken is not None:
        return _verdict(ConditionType.READY, "False", broken.reason, broken.message)
    if world.record.phase not in AS_ASKED or not _as_wished(world):
        return _verdict(ConditionType.READY, "False", Reason.UNDER_WAY, _under_way(world))
    return _verdict(ConditionType.READY, "True", Reason.READY, "what the spec asks for is what serves")


def _under_way(world: World) -> str:
    """Return what a rollout that has not come to rest is doing, and to which revision."""
    record = world.record
    if record.phase is Phase.ROLLING_BACK:
        leaving = ", ".join(each.revision.revision for each in record.retiring)
        return f"{leaving} has left the route and goes after the drain delay"
    return f"{record.candidate.revision} is {record.phase}" if record.candidate else f"the rollout is {record.phase}"


def _as_wished(world: World) -> bool:
    """The revision that the spec asks for is the one that serves or rolls out."""
    record, wish = world.record, world.wish
    return wish is not None and wish.revision in {
        revision.revision for revision in (record.stable, record.candidate) if revision is not None
    }


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
    shadow = route.mirror_percent if route.mirror == candidate_name else 0
    return Traffic(
        stable=of_stable,
        candidate=of_candidate,
        shadow=shadow,
        display=f"{of_stable}/{of_others}",
        shadow_display=f"{shadow}%" if shadow else "-",
    )


def counted(revision: Revision | None, observed: Observed) -> Revision | None:
    """Return the revision with the number of its pods that serve now."""
    if revision is None:
        return None
    return revision.model_copy(update={"ready_replicas": observed.backend(revision.revision).available})


def url(owner: ObjectMeta, spec: ModelDeploymentSpec, domain: str) -> str:
    """Return where clients find the model: its first host, or its Service."""
    if spec.routing.hosts:
        return f"http://{spec.routing.hosts[0]}"
    return f"http://{owner.name}.{owner.namespace}.svc.{domain}"
