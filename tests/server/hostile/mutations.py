"""Changes to good requests that leave them nearly good: one or a few places, chosen by chance, by a seeded hand."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Chance = random.Random
Json = Any

NUMBERS = (
    0,
    -1,
    1.5,
    -0.0,
    1e308,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    10**400,
    5e-324,
    True,
    False,
    float("nan"),
    float("inf"),
)
TEXTS = (
    "",
    "a",
    "NaN",
    "null",
    "\0",
    "é",
    "0" * 300,
    "x" * 5_000,
    "FP64",
    "FP16",
    "BYTES",
    "INT64",
    "BF16",
    "-1",
)
NAN = float("nan")
HALF = "\ud800"  # of a surrogate pair, which JSON can write and UTF-8 cannot
WORDS = (
    *("instances", "inputs", "outputs", "name", "datatype", "shape", "data", "parameters", "id", "signature_name"),
    *("dataframe_split", "dataframe_records", "columns", "index", "binary_data_size", "binary_data_output", "params"),
    *("binary_data", "shared_memory_region", "sequence_id", "content_type", "", "x"),
)
BYTES = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u",
    b"\\ud800",
    b"1e999",
    b"NaN",
)


def value(chance: Chance) -> Json:
    """Anything that JSON can say."""
    match chance.randrange(10):
        case 0:
            return None
        case 1 | 2 | 3:
            return chance.choice(NUMBERS)
        case 4 | 5:
            return chance.choice(TEXTS)
        case 6:
            return [value(chance) for _ in range(chance.randrange(4))]
        case 7:
            return {chance.choice(WORDS): value(chance) for _ in range(chance.randrange(3))}
        case 8:  # what is read as Python writes it may hold what JSON cannot
            return chance.choice(({HALF: NAN}, [NAN, HALF], HALF))
        case _:
            return nested(chance.choice((2, 40, 70, 400)))


def nested(depth: int) -> Json:
    """A list in a list in a list."""
    found: Json = []
    for _ in range(depth):
        found = [found]
    return found


def changed(chance: Chance, whole: Json) -> Json:
    """The same JSON with one to three changes."""
    whole = copy.deepcopy(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = [place for place in _places(whole) if place]
        if not places:
            return value(chance)
        *path, last = chance.choice(places)
        holder = whole
        for step in path:
            holder = holder[step]
        chance.choice(_LISTS if isinstance(holder, list) else _OBJECTS)(chance, holder, last)
    return whole


def _places(whole: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in it, up to a few hundred."""
    found = [path]
    steps = whole.items() if isinstance(whole, dict) else enumerate(whole) if isinstance(whole, list) else ()
    for key, part in list(steps)[:40]:
        if len(path) < 8:
            found += _places(part, (*path, key))
    return found


def _replace(chance: Chance, holder: Any, at: Any) -> None:
    holder[at] = value(chance)


def _empty(chance: Chance, holder: Any, at: Any) -> None:
    """Nothing left of it, or of each of its parts."""
    inner = holder[at]
    if isinstance(inner, list) and inner and isinstance(inner[0], dict | list):
        kind = chance.choice((list, dict))
        holder[at] = [kind() for _ in inner]
    else:
        holder[at] = type(inner)()


def _scale(chance: Chance, holder: Any, at: Any) -> None:
    """Sizes for sizes, numbers for numbers: all of a list at once."""
    inner = holder[at]
    if isinstance(inner, list) and inner and set(map(type, inner)) <= {int, float}:
        sizes = (0, 1, 2, -1, 2**20, 2**40, 2.0, 10**400)
        holder[at] = [
            chance.choice((one, *sizes)) for one in (inner * 2)[: chance.choice((len(inner), len(inner), 5))]
        ]
    else:
        _nudge(chance, holder, at)


def _even(chance: Chance, holder: Any, at: Any) -> None:
    """The same value, or the same name, where there were two."""
    other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[at] = copy.deepcopy(holder[other])


def _drop(_chance: Chance, holder: Any, at: Any) -> None:
    del holder[at]


def _wrap(_chance: Chance, holder: Any, at: Any) -> None:
    holder[at] = [holder[at]]


def _unwrap(_chance: Chance, holder: Any, at: Any) -> None:
    inner = holder[at]
    if isinstance(inner, list) and inner:
        holder[at] = inner[0]
    elif isinstance(inner, dict) and inner:
        holder[at] = next(iter(inner.values()))
    else:
        holder[at] = str(inner)


def _nudge(chance: Chance, holder: Any, at: Any) -> None:
    """Another number, size or text of the same kind."""
    was = holder[at]
    if isinstance(was, bool) or was is None:
        holder[at] = not was
    elif isinstance(was, int | float):
        holder[at] = chance.choice(
            (was + 1, was - 1, -was, was * 1000, float(was) if abs(was) < 2**60 else was, str(was))
        )
    elif isinstance(was, str):
        holder[at] = chance.choice((was.upper(), was + "x", was[:-1], was * 3))
    elif isinstance(was, list):
        holder[at] = chance.choice((was * 2, was[:-1], was[::-1], [*was, value(chance)]))
    else:
        was[chance.choice(WORDS)] = value(chance)


def _rename(chance: Chance, holder: dict[str, Any], at: str) -> None:
    holder[chance.choice(WORDS)] = holder.pop(at)


def _add(chance: Chance, holder: dict[str, Any], _at: str) -> None:
    holder[chance.choice(WORDS)] = value(chance)


def _repeat(chance: Chance, holder: list[Any], at: int) -> None:
    holder[at:at] = [holder[at]] * chance.choice((1, 2, 50))


def _insert(chance: Chance, holder: list[Any], at: int) -> None:
    holder.insert(at, value(chance))


Change = Callable[[Chance, Any, Any], None]
_ANY: Sequence[Change] = (_replace, _replace, _nudge, _nudge, _drop, _wrap, _unwrap, _empty, _scale, _even)
_OBJECTS = (*_ANY, _rename, _add)
_LISTS = (*_ANY, _repeat, _insert)


def encoded(whole: Json) -> bytes:
    """As Python writes it, NaN and numbers without end included."""
    return json.dumps(whole).encode()


def cut(chance: Chance, body: bytes) -> bytes:
    """The same bytes with a few of them changed, lost, doubled or added."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(body) + 1)
        end = min(len(body), at + chance.choice((1, 1, 2, 8, 64)))
        match chance.randrange(6):
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + body[end:]
            case 2:
                body = body[:end] + body[at:]
            case 3:
                body = body[:at] + chance.choice(BYTES) + body[at:]
            case 4:
                body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
            case _:
                body = body[:at] + chance.randbytes(chance.choice((1, 4, 30))) + body[end:]
    return body
