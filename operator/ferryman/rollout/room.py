"""Whether the nodes have room for a candidate's pods, told before the scheduler finds out.

It compares requests with what is left, as the scheduler does first. Affinity and volumes it does not know: it warns,
and holds nothing up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from ferryman.api.revision import Revision
from ferryman.api.server import GPU
from ferryman.observed import Node

PODS = "pods"

_UNITS = {
    "": 1.0,
    "m": 0.001,
    **{letter: 1000.0 ** (place + 1) for place, letter in enumerate("kMGTPE")},
    **{f"{letter}i": 1024.0 ** (place + 1) for place, letter in enumerate("KMGTPE")},
}
_BYTES = re.compile(r"^(memory|ephemeral-storage|hugepages-.*)$")
_CRUMB = 1e-6
"""What sums of fractions may be off by."""


def shape(revision: Revision) -> dict[str, float]:
    """Return what one serving pod of a revision asks for, by resource, in its base unit."""
    resources = revision.pod.server.resources
    # A limit without a request is one, too. The fetching step asks for no more than the server, so it adds nothing.
    return {name: _amount(said) for name, said in {**resources.limits, **resources.requests}.items()}


def shortage(nodes: tuple[Node, ...], requests: Mapping[str, float], pods: int) -> str | None:
    """Return in a sentence what is short for so many pods of a shape; None if they fit."""
    asked = {name: requests[name] for name in sorted(requests, key=_rank) if requests[name] > 0}
    open_to = _open(nodes, asked)
    each = {**asked, PODS: 1.0}
    room = sum(_fits(node, each) for node in open_to)
    if room >= pods:
        return None
    found = f"room for {room} of {pods} {'pod' if pods == 1 else 'pods'}"
    wish = ", ".join(f"{name} {_said(name, value)}" for name, value in asked.items())
    asks = f": each asks for {wish}" if wish else ""
    return f"{found}{asks}; {_why(open_to, each, pods)}; a node autoscaler may add room"


def _open(nodes: Iterable[Node], asked: Mapping[str, float]) -> list[Node]:
    """Return the nodes where such a pod may go at all; where a device is asked for, those that have it, if any do."""
    takers = [node for node in nodes if GPU in asked or not node.gpu_only]
    devices = [name for name in asked if "/" in name]
    return [node for node in takers if all(node.total.get(name, 0.0) > 0 for name in devices)] or takers


def _fits(node: Node, each: Mapping[str, float]) -> int:
    """Return how many whole pods the node has room for."""
    return max(0, min(math.floor(node.free.get(name, 0.0) / value + _CRUMB) for name, value in each.items()))


def _why(nodes: list[Node], each: Mapping[str, float], pods: int) -> str:
    if not nodes:
        return "no node takes new pods"
    short = [_lack(nodes, name, value) for name, value in each.items() if _alone(nodes, name, value) < pods]
    return "; ".join(short) or "no node has enough of everything at once"


def _alone(nodes: list[Node], name: str, value: float) -> int:
    """Return how many pods would fit if nothing but this resource counted."""
    return sum(_fits(node, {name: value}) for node in nodes)


def _lack(nodes: list[Node], name: str, value: float) -> str:
    having = [node for node in nodes if node.total.get(name, 0.0) > 0]
    if not having:
        return f"no node that takes the pod has {name}"
    largest = max(node.total[name] for node in having)
    if largest + _CRUMB < value:
        return f"{name}: the largest node has {_said(name, largest)} in all"
    total = sum(node.total[name] for node in having)
    used = total - sum(max(0.0, node.free.get(name, 0.0)) for node in having)
    where = "1 node" if len(having) == 1 else f"{len(having)} nodes"
    return f"{name}: {_said(name, used)} of {_said(name, total)} on {where} is in use"


def _rank(name: str) -> tuple[bool, int, str]:
    """Devices come first, for they are what is short most often."""
    return ("/" not in name, ("cpu", "memory").index(name) if name in {"cpu", "memory"} else 2, name)


def _amount(said: str) -> float:
    number = said.rstrip("mkKMGTPEi")
    return float(number) * _UNITS[said[len(number) :]]


def _said(name: str, value: float) -> str:
    """Return an amount as one writes it in a spec."""
    if _BYTES.match(name):
        return _scaled(value, [(unit, size) for unit, size in _UNITS.items() if unit.endswith("i")])
    if abs(value - round(value)) < _CRUMB:
        return str(round(value))
    return f"{round(value * 1000)}m"


def _scaled(value: float, units: Iterable[tuple[str, float]]) -> str:
    """Return bytes in the largest unit of which there is at least one, with at most one decimal."""
    unit, size = max((each for each in units if each[1] <= value), key=lambda each: each[1], default=("", 1.0))
    return f"{round(value / size, 1):g}{unit}"
