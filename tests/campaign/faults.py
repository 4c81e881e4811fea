"""What a plan file may ask of the fault proxy: which request or event, and what befalls it.

A plan is data: it is written before the run, replays the same way, and is kept when it found something. Numbers count
from 1, over one run of one plan, in the order in which the proxy saw the requests of the operator.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Verb = Literal["get", "list", "watch", "create", "patch", "update", "delete", "discover"]
"""As the audit log names them; server-side apply is `patch`, a question for an API group's kinds is `discover`."""


class Part(BaseModel):
    """A piece of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Requests(Part):
    """Which requests of the operator; every condition that is given has to hold."""

    verb: Verb | None = None
    writes: bool = False
    """Only create, patch, update and delete, and none of the Lease."""
    resource: str | None = None
    """Plural, with the subresource if there is one: `deployments`, `modeldeployments/status`."""
    name: str | None = None
    life: int | None = None
    """Only of this start of the operator: 1 is the first, 2 the one after the first kill."""
    first: int = 1
    """The number, among those that match, of the first that is hit."""
    count: int | None = 1
    """How many are hit from there on; none means all."""
    every: int = 1
    """Only each so-manieth of them: 20 with first 3 hits the 3rd, 23rd, 43rd."""
    probability: float = 1.0
    """How likely each of them is hit; the plan's seed decides."""
    seconds: float | None = None
    """Only for so long after the first that was hit."""


class Events(Part):
    """Which events of the operator's watches; counted like requests. Bookmarks are not counted."""

    resource: str | None = None
    name: str | None = None
    type: Literal["ADDED", "MODIFIED", "DELETED"] | None = None
    life: int | None = None
    first: int = 1
    count: int | None = 1


class Kill(Part):
    """kill -9 the operator around a request."""

    do: Literal["kill"] = "kill"
    on: Requests
    position: Literal["before", "committed", "answered"]
    """Before it is forwarded, after it took effect and before the answer, or after the answer."""


class Answer(Part):
    """Answer in the apiserver's place; the request is not forwarded."""

    do: Literal["answer"] = "answer"
    on: Requests
    status: int
    retry_after: int | None = None
    """Seconds, as a Retry-After header."""
    message: str = "injected by the fault proxy"


class Lose(Part):
    """Reset the connection: before the request is forwarded, or after it took effect."""

    do: Literal["lose"] = "lose"
    on: Requests
    committed: bool = False


class Hold(Part):
    """Hold a request up before it is forwarded."""

    do: Literal["hold"] = "hold"
    on: Requests
    least: float
    most: float
    """Seconds, drawn evenly."""


class Stop(Part):
    """SIGSTOP the operator before a request is forwarded, and go on after a while with the request."""

    do: Literal["stop"] = "stop"
    on: Requests
    for_seconds: float


class Swallow(Part):
    """Keep events from the operator."""

    do: Literal["swallow"] = "swallow"
    on: Events


class Late(Part):
    """Hold events up, while those after them pass: another order."""

    do: Literal["late"] = "late"
    on: Events
    for_seconds: float


class Twice(Part):
    """Deliver events twice."""

    do: Literal["twice"] = "twice"
    on: Events


class Break(Part):
    """Before an event is delivered, do something to the watch that carries it. The event is lost with it."""

    do: Literal["break"] = "break"
    on: Events
    how: Literal["cut", "freeze", "error"]
    """Reset the connection, leave it open and silent for good, or send an ERROR event in the stream."""
    code: int = 410
    """Of the ERROR."""


class Travel(Part):
    """Serve LIST, GET and WATCH as of just before a write, from the operator's next start on.

    It is killed when the write has been answered, and started anew into the past; or it lives on, and reads what was
    before its own write, while the watches that it has go on in the present.
    """

    do: Literal["travel"] = "travel"
    on: Requests
    for_seconds: float
    back: int | Literal["all"] = 0
    """As of so many of the operator's writes before that one instead; before all of them is the run's beginning."""
    restart: bool = True


class Hide(Part):
    """Hide an API group: from discovery, and 404 for every request to it."""

    do: Literal["hide"] = "hide"
    group: str
    on: Requests = Requests(first=1, count=None)
    """From the first such request on, for its `seconds`."""


Fault = Annotated[
    Kill | Answer | Lose | Hold | Stop | Swallow | Late | Twice | Break | Travel | Hide, Field(discriminator="do")
]


class Plan(Part):
    """One run of one workload with its faults."""

    name: str
    """Class, workload and what is done, with slashes: `crash/promote/7-committed`."""
    workload: str
    faults: tuple[Fault, ...] = ()
    chaos: str | None = None
    """What others do to the cluster at the beginning: `Type/variant` of chaos.py."""
    bystander: bool = False
    """Whether a second ModelDeployment stands beside, and is used meanwhile."""
    finds_by: Literal["resync", "sweep"] = "resync"
    """Which of the operator's own looks comes often: that at everything, or that for what no event told of."""
    seed: int = 0
