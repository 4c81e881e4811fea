"""The story of one look at a ModelDeployment: read, resolve, observe, plan, record, apply, report.

Everything that is decided is decided in `plan`; everything that is remembered is in the object's status, written
before its first effect. A look that fails anywhere is simply repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import pydantic

from ferryman import metrics, plan, reading
from ferryman.api import conditions
from ferryman.api.conditions import ConditionType, Reason, Verdict
from ferryman.api.modeldeployment import ModelDeploymentSpec, ModelSource, ObjectMeta
from ferryman.api.revision import ResolvedModel
from ferryman.api.rollout import Surge
from ferryman.api.status import ModelDeploymentStatus, Phase
from ferryman.cluster import apply, errors, kinds, observe, setback
from ferryman.cluster.client import Client
from ferryman.cluster.mesh import Mesh
from ferryman.cluster.nodes import Nodes
from ferryman.cluster.queue import Key
from ferryman.cluster.setback import Setback
from ferryman.events import Recorder
from ferryman.followers import Followers
from ferryman.look import Failing, Look
from ferryman.observed import Observed
from ferryman.outcome import Notice, Resource, Unresolved
from ferryman.registry import answers
from ferryman.registry.scribe import Scribe
from ferryman.registry.several import Registries
from ferryman.registry.signatures import Signatures
from ferryman.render import revision
from ferryman.rollout.verbs import Verb
from ferryman.settings import Settings

LOOK_SECONDS = 60.0
"""No look may take longer; whatever holds one up is cut off, and the look repeated."""

AFTER_WRITE_SECONDS = 2.0
"""When to look at what was written even if the watch does not tell of it."""

STARTING_SECONDS = 10.0
"""When to look again at pods that are to start: what keeps them from it may show in Events alone, or on nodes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Everything of the outside world that a look needs."""

    client: Client
    mesh: Mesh
    nodes: Nodes
    registries: Registries
    signatures: Signatures
    scribe: Scribe[Key]
    followers: Followers
    recorder: Recorder
    settings: Settings
    now: Callable[[], datetime]
    failing: Failing = field(default_factory=Failing)

    async def __call__(self, key: Key) -> float | None:
        """Look at one ModelDeployment; return in how many seconds to look again if nothing happens."""
        look = Look(self.client, self.now())
        with metrics.RECONCILE_SECONDS.time():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    wake_after = await self._look(key, look)
            except (errors.Leaving, errors.Vanished):
                wake_after = None  # its namespace is being deleted, and it will be next; or it is gone already
            except Exception as error:
                await self._confess(key, look, setback.of(error))
                raise
        self.failing.ended(key)
        return wake_after

    async def _look(self, key: Key, look: Look) -> float | None:
        try:
            body = await self.client.get(kinds.MODEL_DEPLOYMENT, key.namespace, key.name)
        except errors.NotFound:
            metrics.forget(key.namespace, key.name)
            self.followers.gone(key)
            self.scribe.forget(key)
            return None
        meta = ObjectMeta.model_validate(body["metadata"])
        if meta.deletion_timestamp is not None:
            return None
        standing = reading.standing(body)
        look.found(meta, standing)
        try:
            spec = ModelDeploymentSpec.model_validate(body.get("spec") or {})
        except pydantic.ValidationError as error:
            await self._refuse(meta, look, reading.fault(error))
            return None

        resource = Resource(meta, spec, standing, reading.verbs(body))
        resolved, challenger = await self._resolve(key, resource)
        breaks = await self._breaks(resource, resolved)
        observed = await observe.observe(self.client, self.mesh, meta, self.now(), _serving(standing))
        if _room_matters(spec, standing):
            observed = replace(observed, nodes=await self.nodes())
        told = self.scribe.told(key)
        decided = plan.plan(
            resource, observed, resolved, self.settings, self.now(), challenger=challenger, told=told, breaks=breaks
        )

        recorded = await look.record(setback.kept(decided.status, standing, meta.generation))
        try:
            writes = await apply.apply(
                self.client,
                meta,
                observed,
                objects=decided.objects,
                scales=decided.scales,
                removals=decided.removals,
                confirm=look.confirm,
            )
        finally:
            # What was recorded has happened, even if its effects need another look.
            metrics.tell(meta.namespace, meta.name, decided.status)
            for notice in decided.notices:
                self._tell(meta, notice)
        # What was refused before is not any more.
        recorded = await look.record(decided.status) or recorded
        told_again = self.scribe.tell(key, decided.entries, told)

        waits = (
            (decided.wake_after, True),
            (AFTER_WRITE_SECONDS, recorded or writes > 0),
            (STARTING_SECONDS, _starts(decided.status, observed)),
            (told_again, True),
        )
        return min((seconds for seconds, due in waits if due and seconds is not None), default=None)

    async def _resolve(
        self, key: Key, resource: Resource
    ) -> tuple[ResolvedModel | Unresolved, ResolvedModel | Unresolved | None]:
        """Return what a spec's model and its challenger mean now, and be told when that changes."""
        spec, other = resource.spec, resource.spec.challenger()
        sources = [each.model for each in (spec, other) if each is not None]
        self.followers.follows(key, *(source.uri for source in sources), server=self.registries.named(spec.model))
        found = await asyncio.gather(*(self._described(source, resource) for source in sources))
        return found[0], found[1] if other is not None else None

    async def _described(self, source: ModelSource, resource: Resource) -> ResolvedModel | Unresolved:
        """Return what a source means now, and, of a version that is new here, what was logged with it."""
        found, standing = await self.registries.resolve(source, resource.status.models()), resource.status
        if found == answers.later(source.uri):
            found = self._as_it_was(resource, source) or found
        if isinstance(found, Unresolved) or self._given_up(resource, found):
            return found
        serving = [
            each.model for each in (standing.stable, standing.candidate, standing.challenger) if each is not None
        ]
        return found.described_by(serving) or await self.signatures.described(found, *serving[:1])

    def _as_it_was(self, resource: Resource, source: ModelSource) -> ResolvedModel | None:
        """Return what a source meant at the last look at an object at rest: until it is asked for, it rests on."""
        standing = resource.status
        underway = standing.candidate or standing.rejected or standing.withdrawn
        if underway or standing.observed_generation != resource.meta.generation:
            return None
        kept = [each.model for each in (standing.stable, standing.challenger) if each is not None]
        meant = (source.uri, self.registries.named(source))
        return next((model for model in kept if (model.requested, model.registry) == meant), None)

    async def _breaks(self, resource: Resource, resolved: ResolvedModel | Unresolved) -> tuple[str, ...] | None:
        """Return what a version that is about to become the candidate breaks; None where nobody can tell.

        One that is the candidate was compared when it was named.
        """
        standing = resource.status
        if isinstance(resolved, Unresolved) or standing.stable is None or self._given_up(resource, resolved):
            return None
        candidate = standing.candidate.model if standing.candidate is not None else None
        if candidate is not None and candidate.same_bytes(resolved):
            return None
        return await self.signatures.breaks(standing.stable.model, resolved)

    def _given_up(self, resource: Resource, resolved: ResolvedModel) -> bool:
        """Tell whether a version was rejected, and nobody wants it again: it becomes nothing, whatever it takes."""
        rejected = resource.status.rejected
        if rejected is None or Verb.RETRY in resource.verbs:
            return False
        wished = revision.wished(resource.meta.name, resource.spec, resolved, self.settings, self.now())
        return wished.revision == rejected.revision

    async def _refuse(self, meta: ObjectMeta, look: Look, message: str) -> None:
        """Say that the spec cannot be honoured; everything that serves is left as it is."""
        standing = look.status
        claims = [
            Verdict(type=kind, status="False", reason=Reason.INVALID_SPEC, message=message)
            for kind in (ConditionType.ACCEPTED, ConditionType.READY)
        ]
        fresh = conditions.stamped(claims, standing.conditions, meta.generation, self.now())
        others = [claim for claim in standing.conditions if claim.type not in {claim.type for claim in claims}]
        refused = standing.model_copy(
            update={
                "observed_generation": meta.generation,
                "reason": Reason.INVALID_SPEC.value,
                "conditions": [fresh[0], *others, fresh[1]],
            }
        )
        if await look.record(refused):
            self._tell(meta, Notice("Warning", Reason.INVALID_SPEC.value, message))

    async def _confess(self, key: Key, look: Look, bad: Setback) -> None:
        """Say why a look could not be carried through; everything that serves is left as it is."""
        told = self.failing.due(key, look, bad, self.now()) and await look.confess(bad, self.now())
        if look.meta is not None and (told or bad.refused):
            self._tell(look.meta, Notice("Warning", bad.reason.value, bad.message))

    def _tell(self, meta: ObjectMeta, notice: Notice) -> None:
        level = logging.INFO if notice.type == "Normal" else logging.WARNING
        log.log(level, "%s/%s: %s: %s", meta.namespace, meta.name, notice.reason, notice.message)
        self.recorder.publish(meta, notice)


def _serving(status: ModelDeploymentStatus) -> list[str]:
    """Return the revisions that have traffic or a copy of it, or may have."""
    return [each.revision for each in (status.stable, status.candidate, status.challenger) if each is not None]


def _room_matters(spec: ModelDeploymentSpec, standing: ModelDeploymentStatus) -> bool:
    """Tell whether it may be of use to know the room on the nodes: a look at them is dear."""
    return _starting(standing) or spec.rollout.surge is Surge.NO_SURGE


def _starts(status: ModelDeploymentStatus, observed: Observed) -> bool:
    """Tell whether a candidate's or challenger's pods are there, and not yet available."""
    candidate = status.candidate if _starting(status) else None
    backends = [observed.backend(each.revision) for each in (candidate, status.challenger) if each is not None]
    return any(backend.deployed and backend.available < backend.desired for backend in backends)


def _starting(status: ModelDeploymentStatus) -> bool:
    return status.candidate is not None and status.phase in {Phase.PENDING, Phase.STARTING}
