"""Whether the names that came are the names that the model knows."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from ferryman_server.dataplane import convert
from ferryman_server.dataplane.errors import InvalidInputError

MOST_SHOWN = 12


def check(wanted: set[str], optional: set[str], given: Any, label: str) -> None:
    """Refuse missing and unknown names, by name, with those that were expected."""
    missing, unknown = wanted - optional - given.keys(), given.keys() - wanted
    if not missing and not unknown:
        return
    facts = [f"misses {listed(missing)}"] if missing else []
    facts += [f"has {listed(unknown)}, which the model does not know"] if unknown else []
    raise InvalidInputError(f'"{label}" {" and ".join(facts)}; the model expects {listed(wanted)}.')


def listed(names: set[str]) -> str:
    """Names for a sentence, the first dozen of them."""
    shown = sorted(names)[:MOST_SHOWN]
    return ", ".join(f'"{convert.cut(name)}"' for name in shown) + more(names)


def more(names: Collection[str]) -> str:
    """How many there are besides those that are shown."""
    return f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""


def counts(rows: dict[str, int]) -> str:
    """How many rows each of them has; the first dozen, and one that differs from the first."""
    first = next(iter(rows.values()))
    differs = next((name for name, count in rows.items() if count != first), "")
    shown = dict.fromkeys([*list(rows)[:MOST_SHOWN], *([differs] if differs else [])])
    return ", ".join(f"{convert.cut(name)} has {rows[name]}" for name in shown)


def once(given: Sequence[str], label: str) -> None:
    """Refuse a name that stands twice where columns are named: one of the two would be lost."""
    if len(set(given)) < len(given):
        twice = {name for name, count in Counter(given).items() if count > 1}
        raise InvalidInputError(f'"{label}" names {listed(twice)} more than once.')
