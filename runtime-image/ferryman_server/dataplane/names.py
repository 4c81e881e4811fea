"""Whether the names that came are the names that the model knows."""

from typing import Any

from ferryman_server.dataplane.errors import InvalidInputError


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
    shown = sorted(names)[:12]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(f'"{name}"' for name in shown) + more
