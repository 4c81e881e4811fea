"""What people tell the operator in annotations: which verb is new, and whether it may be carried out.

A verb names the revision that it means, so that one said on a stale screen is refused. It is consumed by being
recorded: the same value is not acted upon twice, and an annotation that is taken away is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from ferryman.api.journal import Command
from ferryman.rollout import steps
from ferryman.rollout.record import Record, World


class Verb(StrEnum):
    """What can be told, in the order in which several are heard at once."""

    ABORT = "abort"
    """Take the candidate's traffic away, then its pods; it does not come back by itself."""
    ROLLBACK = "rollback"
    """Go back to a revision that was stable before, or to `previous`, without steps."""
    PAUSE = "pause"
    """Give the candidate no larger share, and let its deadline stand still."""
    RETRY = "retry"
    """Let a revision that was rejected or withdrawn start anew."""
    PROMOTE = "promote"
    """Give the candidate everything once it has the pods, whatever the plan says."""
    RESUME = "resume"
    """End a `pause`, or the gate of the step that is under way."""


PREVIOUS = "previous"
"""What `rollback` may name instead of a revision: the one that was stable before this one."""

MOST = 16
"""How many annotations of ours are heard; an object that carries more is being played with."""

LONGEST = 253
"""How much of an annotation's value is read."""


@dataclass(frozen=True, slots=True)
class Request:
    """A verb with the value that it was told with."""

    verb: str
    value: str

    @property
    def target(self) -> str:
        """Return the revision that is meant; words after it only make a value another one."""
        return (self.value.split() or [""])[0]


def remembered(world: World) -> Record:
    """Forget what became of verbs whose annotations are gone."""
    there = tuple(command for command in world.record.commands if command.verb in world.verbs)
    return replace(world.record, commands=there) if there != world.record.commands else world.record


def request(world: World) -> Request | None:
    """Return the first verb that is new, in the order of the verbs; unknown ones come last."""
    if not world.verbs:
        return None
    heard = {command.verb: command.value for command in world.record.commands}
    known = [verb.value for verb in Verb]
    for verb in [*known, *sorted(world.verbs.keys() - set(known))][: len(known) + MOST]:
        value = world.verbs.get(verb)
        if value is not None and heard.get(verb) != value[:LONGEST]:
            return Request(verb, value[:LONGEST])
    return None


def told(verb: Verb) -> Callable[[World], bool]:
    """Return the claim that a verb is new and may be carried out."""

    def holds(world: World) -> bool:
        asked = request(world)
        return asked is not None and asked.verb == verb.value and refusal(world, asked) is None

    return holds


def refused(world: World) -> bool:
    """A verb is new and may not be carried out."""
    asked = request(world)
    return asked is not None and refusal(world, asked) is not None


def refusal(world: World, asked: Request) -> str | None:
    """Return why a verb may not be carried out; None if it may."""
    rule = _RULES.get(asked.verb)
    if rule is None:
        return f"there is no verb {asked.verb}; the verbs are {', '.join(sorted(_RULES))}"
    if not asked.target:
        return f"{asked.verb} must name the revision that it means"
    if world.record.stable is None:
        return "no revision serves yet; a first revision can be neither hurried nor taken back"
    return rule(world, asked.target)


def answered(record: Record, world: World, outcome: str, message: str) -> Record:
    """Write down what became of the verb that was new."""
    asked = request(world)
    if asked is None:
        return record
    others = tuple(command for command in record.commands if command.verb != asked.verb)
    command = Command.model_validate(
        {"verb": asked.verb, "value": asked.value, "outcome": outcome, "message": message, "time": world.now}
    )
    return replace(record, commands=(*others, command))


def meant(world: World, target: str) -> str:
    """Return the revision that `rollback` means."""
    active = world.record.candidate.revision if world.record.candidate is not None else None
    names = [each.revision.revision for each in world.record.history if each.revision.revision != active]
    return names[0] if target == PREVIOUS and names else target


def _of_candidate(world: World, target: str) -> str | None:
    record = world.record
    if record.candidate is None:
        serves = record.stable.revision if record.stable is not None else "no revision"
        return f"{target} is not being rolled out; {serves} serves alone"
    if record.candidate.revision != target:
        return f"{target} is not the candidate, which is {record.candidate.revision}"
    return None


def _resumes(world: World, target: str) -> str | None:
    other = _of_candidate(world, target)
    run = world.record.run
    if other is not None or run is None:
        return other
    if run.paused_at is not None:
        return None
    if steps.gated(world) and run.steps[run.step].pause is not None:
        return None
    if steps.ended(world):
        return f"{target} is at the last step of its plan; promote it, or give the plan a step of 100"
    return f"{target} is not paused"


def _retries(world: World, target: str) -> str | None:
    record = world.record
    rejected = record.rejected.revision if record.rejected is not None else None
    if target in (rejected, record.withdrawn):
        return None
    return f"{target} was neither rejected nor withdrawn"


def _rolls_back(world: World, target: str) -> str | None:
    record = world.record
    known = [each.revision.revision for each in record.history]
    name = meant(world, target)
    if record.stable is not None and name == record.stable.revision:
        return f"{name} is stable already"
    if record.candidate is not None and name == record.candidate.revision:
        return f"{name} is the candidate already; promote it"
    if name in known:
        return None
    kept = f"kept are {', '.join(known)}" if known else "no earlier revision is kept"
    return f"there is no {target} to go back to; {kept}"


_RULES: dict[str, Callable[[World, str], str | None]] = {
    Verb.ABORT.value: _of_candidate,
    Verb.ROLLBACK.value: _rolls_back,
    Verb.PAUSE.value: _of_candidate,
    Verb.RETRY.value: _retries,
    Verb.PROMOTE.value: _of_candidate,
    Verb.RESUME.value: _resumes,
}
