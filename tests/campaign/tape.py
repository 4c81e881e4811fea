"""What the operator and the apiserver said to each other in one run, as the fault proxy heard it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jsonpatch

from campaign.asked import Asked

Body = dict[str, Any]
Operation = dict[str, Any]

NOISE = frozenset({"managedFields", "resourceVersion"})


@dataclass
class Exchange:
    """One request, and what became of it."""

    number: int
    life: int
    at: float
    """When it came in, by the monotonic clock."""
    verb: str
    resource: str
    """Plural, with the subresource if there is one."""
    namespace: str
    name: str
    """Of a question for the kinds of an API group: `group/version`."""
    status: int = 0
    """What the apiserver answered, or the proxy in its place; 0 if the request did not come to an answer."""
    effective: bool = False
    """A write after which the object is another one than before, whether or not the operator was told."""
    before: Body | None = None
    after: Body | None = None
    """Bodies of writes only. After a deletion: what is left of the object while it is being deleted, or nothing."""
    fault: str | None = None
    """What befell it, in words."""
    over: float = 0.0
    """When that is over, where it takes a while."""

    def took_effect(self, status: int, answer: Body | None, *, dry: bool) -> None:
        """Note what the apiserver answered to a write."""
        self.status = status
        if status >= 300 or answer is None:
            return
        is_object = answer.get("kind") != "Status"
        if self.verb == "delete":
            # without finalizers and grace, what is answered is either a Status or the object as it last was
            leaving = is_object and "deletionTimestamp" in answer["metadata"]
            self.after = answer if leaving else None
            self.effective = not dry and "deletionTimestamp" not in (self.before or {}).get("metadata", {})
        else:
            self.after = answer if is_object else None
            self.effective = not dry and (not is_object or _version(answer) != _version(self.before))

    def suffers(self, fault: str, seconds: float = 0.0) -> None:
        """Note a fault beside those that are noted already, and how long it takes."""
        self.fault = f"{self.fault}, {fault}" if self.fault else fault
        self.over = max(self.over, self.at) + seconds


@dataclass(frozen=True)
class Event:
    """One event of a watch, and whether it was delivered."""

    life: int
    at: float
    resource: str
    type: str
    namespace: str
    name: str
    resourceVersion: str  # noqa: N815 as Kubernetes spells it
    fate: str
    """`delivered`, or the fault."""


@dataclass
class Tape:
    """Everything of one run, in the order in which it came to the proxy."""

    exchanges: list[Exchange] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def note(self, life: int, at: float, asked: Asked) -> Exchange:
        """Note a request that has just come in."""
        number = len(self.exchanges) + 1
        exchange = Exchange(number, life, at, asked.verb, asked.resource, asked.namespace, asked.name)
        self.exchanges.append(exchange)
        return exchange

    def writes(self) -> list[Exchange]:
        """Return the writes that changed something."""
        return [exchange for exchange in self.exchanges if exchange.effective]

    def last_fault(self) -> float:
        """Return when the last fault was over: a hang ends where the request goes on."""
        struck = [exchange.over for exchange in self.exchanges if exchange.fault]
        spoiled = [event.at for event in self.events if event.fate != "delivered"]
        return max((*struck, *spoiled), default=0.0)

    @staticmethod
    def diff(exchange: Exchange) -> list[Operation]:
        """Return what a write changed, as a JSON patch, without the version and the owners of fields."""
        before, after = (_plain(body) for body in (exchange.before, exchange.after))
        operations: list[Operation] = jsonpatch.make_patch(before, after).patch
        return operations


def _version(body: Body | None) -> str | None:
    return None if body is None else body["metadata"].get("resourceVersion")


def _plain(body: Body | None) -> Body:
    if body is None:
        return {}
    metadata = {name: value for name, value in body.get("metadata", {}).items() if name not in NOISE}
    return {**body, "metadata": metadata}
