"""What a candidate would break for those who call stable: the difference of what the two take and give.

A caller of stable must find a candidate that takes what stable took, in the order in which stable took it, and that
gives what stable gave. Numbers may be taken in a wider type than before. A new major release is a break by its own
word (https://semver.org).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_SAID = 8
"""So many differences are told one by one."""
MOST_TEXT = 300
"""So many characters of each: a type may be as long as its author likes."""
WIDER = {
    "integer": {"long", "double"},
    "long": {"double"},
    "float": {"double"},
    "int32": {"int64", "float64"},
    "int64": {"float64"},
    "float32": {"float64"},
}
"""The types, as MLflow calls them, in which every value of another is taken, too."""
RELEASE = re.compile(r"^[vV]?(0|[1-9][0-9]*)\.[0-9]+\.[0-9]+([-+].*)?$")


@dataclass(frozen=True, slots=True)
class Value:
    """One input or output of a model."""

    name: str
    """Its name, or an empty text where values have their place alone."""
    type: str
    """Its type as MLflow writes it; of a tensor with its shape."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives, as it was logged; None where it does not say."""

    inputs: tuple[Value, ...] | None = None
    outputs: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A version as its callers know it."""

    signature: Signature | None = None
    release: str | None = None
    """Its semantic version, if it has one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a candidate would break, as far as both sides say what they take and give."""

    breaks: tuple[str, ...] = field(default=())
    known: bool = True
    """False where one side has no signature, or the candidate does not say what it gives and stable does."""


def difference(stable: Released, candidate: Released) -> Difference:
    """Return what breaks for those who call stable, a sentence each."""
    said = list(_major(stable.release, candidate.release))
    old, new = stable.signature, candidate.signature
    known = old is not None and new is not None and old.inputs is not None and new.inputs is not None
    if old is not None and new is not None:
        if old.inputs is not None and new.inputs is not None:
            said += _taken(old.inputs, new.inputs)
        if old.outputs is not None and new.outputs is not None:
            said += _given(old.outputs, new.outputs)
        known = known and (old.outputs is None or new.outputs is not None)
    said = [each if len(each) <= MOST_TEXT else f"{each[: MOST_TEXT - 3]}..." for each in said]
    if len(said) > MOST_SAID:
        said = [*said[:MOST_SAID], f"and {len(said) - MOST_SAID} more"]
    return Difference(tuple(said), known)


def _major(old: str | None, new: str | None) -> Iterator[str]:
    before, after = (RELEASE.match(release or "") for release in (old, new))
    if before is not None and after is not None and before[1] != after[1]:
        yield f"{new} is another major release than {old}"


def _taken(old: tuple[Value, ...], new: tuple[Value, ...]) -> Iterator[str]:
    if _placed(old) or _placed(new):
        yield from _by_place("input", old, new, wider=True)
        return
    before, after = {value.name: value for value in old}, {value.name: value for value in new}
    for name, value in after.items():
        known = before.get(name)
        if known is None:
            if value.required:
                yield f'it needs "{name}" ({value.type}), which stable does not take'
            continue
        yield from _type(f'it takes "{name}" as', known, value, wider=True)
        if value.required and not known.required:
            yield f'it needs "{name}", which stable does without'
    for name in before:
        if name not in after:
            yield f'it does not take "{name}" any more'
    shared = [name for name in before if name in after]
    if shared != [name for name in after if name in before]:
        yield "it takes the same inputs in another order, so rows without names would be misread"


def _given(old: tuple[Value, ...], new: tuple[Value, ...]) -> Iterator[str]:
    if _placed(old) or _placed(new):
        yield from _by_place("output", old, new, wider=False)
        return
    after = {value.name: value for value in new}
    for value in old:
        if value.name not in after:
            yield f'it does not give "{value.name}" any more'
        else:
            yield from _type(f'it gives "{value.name}" as', value, after[value.name], wider=False)


def _by_place(what: str, old: tuple[Value, ...], new: tuple[Value, ...], *, wider: bool) -> Iterator[str]:
    if len(old) != len(new):
        yield f"it has {len(new)} {what}s, and stable has {len(old)}"
        return
    for place, (before, after) in enumerate(zip(old, new, strict=True), start=1):
        yield from _type(f"its {what} {place} is", before, after, wider=wider)


def _type(what: str, old: Value, new: Value, *, wider: bool) -> Iterator[str]:
    if old.type != new.type and not (wider and _wider(old.type, new.type)):
        yield f"{what} {new.type}, and stable as {old.type}"


def _wider(old: str, new: str) -> bool:
    """Tell whether a type takes every value of another: a wider one of the same shape, where it has one."""
    (before, shape), (after, same) = ((kind, rest) for kind, _, rest in (old.partition(" "), new.partition(" ")))
    return shape == same and after in WIDER.get(before, ())


def _placed(values: tuple[Value, ...]) -> bool:
    """Tell whether values are known by their place alone."""
    return any(not value.name for value in values)
