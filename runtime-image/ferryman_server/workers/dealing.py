"""Who gets a connection, and who gives some up: decisions over counts.

Proxies keep their connections for hours. Whoever counts only new ones would leave a worker that came later, or came
back, without work; so those with too many give some up.
"""

from collections.abc import Mapping


def chosen(here: Mapping[int, int], everywhere: Mapping[int, int]) -> int:
    """The worker with the fewest connections of this port; among equals with the fewest of all."""
    return min(here, key=lambda slot: (here[slot], everywhere[slot], slot))


def surplus(counts: Mapping[int, int]) -> tuple[int, int] | None:
    """The worker with the most connections, and how many of them would be better elsewhere; None if all is even."""
    if len(counts) < 2:
        return None
    most = max(counts, key=lambda slot: (counts[slot], slot))
    fair = -(-sum(counts.values()) // len(counts))  # rounded up
    if counts[most] - min(counts.values()) < 2:
        return None
    return most, counts[most] - fair or 1
