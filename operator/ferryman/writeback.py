"""What the registry is to be told of a model's releases, as it follows from what was decided; and what came of it.

A tag says what became of a version here, an alias names the one that serves. Both are told again only when they
would say something else: status keeps what was told, so that neither a look nor a poll of our own moves begins anew.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ferryman.api import reference
from ferryman.api.conditions import ConditionType, Reason, Status, Verdict
from ferryman.api.journal import Outcome
from ferryman.api.reference import RegistryReference
from ferryman.api.registry import OnRollback
from ferryman.api.revision import Revision
from ferryman.outcome import Alias, Entry, Resource, Tag, Told
from ferryman.rollout.record import Record

REPLACED = "Replaced"
"""What is said of a version that served until another was promoted."""


def wanted(resource: Resource, record: Record, wish: Revision | None) -> tuple[Entry, ...]:
    """Return what the registry is to say, whether it says so already or not."""
    policy = resource.spec.model.registry
    if not policy.write_back:
        return ()
    entries: list[Entry] = list(_tags(resource, record))
    stable = record.stable.model if record.stable is not None else None
    served = _version(stable.uri) if stable is not None else None
    if stable is None or served is None:
        return tuple(entries)
    if policy.stable_alias is not None:
        alias = Alias(served.name, policy.stable_alias, str(served.version), registry=stable.registry)
        entries.append(alias)
    if policy.on_rollback is OnRollback.RESTORE and wish is not None and wish.model.registry == stable.registry:
        entries += _restored(resource, record, wish, served)
    return tuple(entries)


def pending(resource: Resource, entries: tuple[Entry, ...], told: Told) -> tuple[Entry, ...]:
    """Return what is still to be told."""
    known = {*(resource.status.written_back or ()), *told.done}
    return tuple(entry for entry in entries if entry.said not in known)


def verdicts(resource: Resource, left: tuple[Entry, ...], told: Told, *, allowed: bool) -> list[Verdict]:
    """Return whether the registry says what it is to say; nothing where nobody asked for that."""
    if not resource.spec.model.registry.write_back:
        return []
    if not allowed:
        message = (
            "spec.model.registry.writeBack is set, and this installation does not write to the registry; set "
            "mlflow.writeBack in the chart's values, or take it out of the spec"
        )
        return [_verdict("False", Reason.WRITE_BACK_NOT_ALLOWED, message)]
    if not left:
        return [_verdict("True", Reason.WRITTEN_BACK, "the registry says what became of each version")]
    if told.failure is not None:
        return [_verdict("False", told.failure.reason, told.failure.message)]
    return [_verdict("Unknown", Reason.WRITE_BACK_PENDING, f"the registry is being told: {left[0].said}")]


def _verdict(status: Status, reason: Reason, message: str) -> Verdict:
    return Verdict(type=ConditionType.REGISTRY_UPDATED, status=status, reason=reason, message=message)


def _tags(resource: Resource, record: Record) -> tuple[Tag, ...]:
    """Return what became of the versions that the last run was about: one tag a version, that of stable the last."""
    key = f"ferryman.{resource.meta.namespace}.{resource.meta.name}"
    said: dict[tuple[str | None, str, str], Tag] = {}

    def say(uri: str, registry: str | None, outcome: str, *, parting: bool = True) -> None:
        named = _version(uri)
        if named is not None:
            version = str(named.version)
            said[registry, named.name, version] = Tag(named.name, version, key, outcome, registry, parting)

    last = record.last
    if last is not None and last.outcome is Outcome.PROMOTED:
        replaced = record.kept(last.replaced)
        became = Outcome.ROLLED_BACK if last.reason == Reason.ROLLED_BACK else REPLACED
        if replaced is not None:
            model = replaced.model
            say(model.uri, model.registry, f"{became} {_time(last.finished)} for {last.revision}")
    elif last is not None:
        say(last.uri, last.registry, f"{last.outcome} {_time(last.finished)} as {last.revision} ({last.reason})")
    stable = record.stable
    if stable is not None:
        became = f"{Outcome.PROMOTED} {_time(stable.since)} as {stable.revision}"
        say(stable.model.uri, stable.model.registry, became, parting=False)
    return tuple(said.values())


def _restored(resource: Resource, record: Record, wish: Revision, served: RegistryReference) -> tuple[Alias, ...]:
    """Return the followed alias as it is to be when the version that it stands for was rolled back."""
    followed = reference.registry_reference(resource.spec.model.uri)
    if followed is None or followed.alias is None or record.rejected is None:
        return ()
    named = _version(wish.model.uri)
    back = wish.revision == record.rejected.revision and named is not None and named.name == served.name
    if not back or named is None or named.version == served.version:
        return ()
    instead, registry = str(named.version), wish.model.registry
    return (Alias(served.name, followed.alias, str(served.version), instead_of=instead, registry=registry),)


def _version(uri: str) -> RegistryReference | None:
    """Return the registered version that a revision serves; None where it comes from elsewhere."""
    named = reference.registry_reference(uri)
    return named if named is not None and named.version is not None else None


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
