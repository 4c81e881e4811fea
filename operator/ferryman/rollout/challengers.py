"""The challenger: a revision beside the rollout that gets copies of live requests, and is never served.

It is no part of the state machine: nothing that happens to it moves a rollout, and no rollout takes its copies away.
Once the spec asks for it as its model, it becomes the candidate with the pods that it has.
"""

from __future__ import annotations

from dataclasses import replace

from ferryman.rollout.record import Record, World


def chosen(world: World) -> Record:
    """Return the record with the challenger that the spec asks for.

    While nobody can say which bytes that is, what is there stays. What serves or is being rolled out is none.
    """
    record, wish = world.record, world.challenger
    if record.stable is None or world.rollout.challenger is None or not world.observed.mesh:
        return _without(record)
    taken = {each.revision for each in (record.stable, record.candidate) if each is not None}
    if record.challenger is not None and record.challenger.revision in taken:
        record = replace(record, challenger=None)
    if wish is None:
        return record
    if wish.revision in taken:
        return _without(record)
    if record.challenger is not None and record.challenger.revision == wish.revision:
        return record
    record = _without(record)
    known = record.recorded(wish.revision) or wish
    challenger = known.model_copy(update={"since": world.now, "served": False})
    return replace(record.back(wish.revision), challenger=challenger)


def _without(record: Record) -> Record:
    """Send the challenger out, unless it has another role by now."""
    challenger = record.challenger
    if challenger is None:
        return record
    record = replace(record, challenger=None)
    other = any(each.revision == challenger.revision for each in record.active())
    return record if other else record.leave(challenger)


def mirrored(world: World) -> tuple[str | None, int]:
    """Return who is mirrored to, and the share in percent: nobody while the challenger has no ready pod."""
    challenger, shadow = world.record.challenger, world.rollout.challenger
    backend = world.backend(challenger)
    if challenger is None or shadow is None or not backend.addressed or backend.available == 0:
        return None, 0
    return challenger.revision, shadow.percent
