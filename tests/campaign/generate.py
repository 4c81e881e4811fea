"""Plans made from what was learned: every write, every event and every request gets its turn.

A write is aimed at by what it is and how often that came before (the second patch of the VirtualService), not by its
number in the run: other runs may put other writes between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from campaign import chaos
from campaign.faults import Answer, Break, Events, Fault, Hold, Kill, Lose, Plan, Requests, Swallow, Travel, Twice
from campaign.known import Known
from campaign.tape import Event, Exchange
from campaign.workloads import CHAIN, WORKLOADS

POSITIONS = ("before", "committed", "answered")
ERRORS = (403, 404, 409, 422, 429, 500, 503)
STRIDE = 12
"""Of the requests of a run, every so-manieth gets the error; so many plans give each request its turn."""
TRAVEL_SECONDS = 6.0
CHAINS = 30
"""Of 21 operations each: more than 600."""
HANG_SECONDS = 35.0
"""More than the operator's own patience with a request."""


def crash(workload: str, known: Known) -> Iterator[Plan]:
    """Kill the operator around each write."""
    for number, aim, text in _aims(known.writes):
        for position in POSITIONS:
            yield _plan("crash", workload, f"{number}-{text}-{position}", Kill(on=aim, position=position))


def crash_twice(workload: str, known: Known) -> Iterator[Plan]:
    """Kill it around each write, and again around each write that it makes after that."""
    count = len(known.writes)
    for number, aim, text in _aims(known.writes):
        for position in POSITIONS:
            first = Kill(on=aim.model_copy(update={"life": 1}), position=position)
            for later in range(1, count - number + 2):
                for again in ("before", "committed") if later == 1 else ("committed",):
                    second = Kill(on=Requests(writes=True, life=2, first=later), position=again)
                    yield _plan(
                        "crash-twice", workload, f"{number}-{text}-{position}-then-{later}-{again}", first, second
                    )


def unobserved(workload: str, known: Known) -> Iterator[Plan]:
    """Keep each event from the operator; deliver each twice; then keep all events of a kind from it."""
    for number, aim, text in _event_aims(known.events):
        yield _plan("unobserved", workload, f"{number}-{text}", Swallow(on=aim))
    for number, aim, text in _event_aims(known.events):
        if number % 4 == 0:
            yield _plan("unobserved", workload, f"{number}-{text}-twice", Twice(on=aim))
            yield _plan(
                "unobserved", workload, f"{number}-{text}-and-next", Swallow(on=aim.model_copy(update={"count": 2}))
            )
    for resource in sorted({event.resource for event in known.events}):
        yield _plan("unobserved", workload, f"all-{resource}", Swallow(on=Events(resource=resource, count=None)))
        for how in ("cut", "freeze"):
            yield _plan("unobserved", workload, f"{how}-{resource}", Break(on=Events(resource=resource), how=how))
        for code in (410, 500):
            broken = Break(on=Events(resource=resource), how="error", code=code)
            yield _plan("unobserved", workload, f"error-{code}-{resource}", broken)
    yield _plan("unobserved", workload, "all", Swallow(on=Events(count=None)))


def stale(workload: str, known: Known) -> Iterator[Plan]:
    """Start the operator anew, with a view from before each write, or from before all of them."""
    for number, aim, text in _aims(known.writes):
        if aim.resource == "events":
            continue
        yield _plan("stale", workload, f"{number}-{text}", Travel(on=aim, for_seconds=TRAVEL_SECONDS))
        if number % 3 == 0:
            whole = Travel(on=aim, for_seconds=TRAVEL_SECONDS, whole=True)
            yield _plan("stale", workload, f"{number}-{text}-whole", whole)


def errors(workload: str, known: Known) -> Iterator[Plan]:
    """Answer each request with each error, several in a run; lose each; let each kind of request hang."""
    for status in ERRORS:
        wait = 1 if status == 429 else None
        for first in range(1, STRIDE + 1):
            on = Requests(first=first, every=STRIDE, count=None, seconds=15.0)
            yield _plan("errors", workload, f"{status}-from-{first}", Answer(on=on, status=status, retry_after=wait))
    for committed in (False, True):
        for first in range(1, STRIDE + 1):
            on = Requests(first=first, every=STRIDE, count=None, seconds=15.0)
            text = f"lost-{'answers' if committed else 'requests'}-from-{first}"
            yield _plan("errors", workload, text, Lose(on=on, committed=committed))
    for verb, resource in sorted({(each.verb, each.resource) for each in known.requests}):
        if verb != "watch" and resource not in {"events", "leases"}:
            on = Requests(verb=verb, resource=resource)
            held = Hold(on=on, least=HANG_SECONDS, most=HANG_SECONDS)
            yield _plan("errors", workload, f"hang-{verb}-{resource}", held)


def storms(workload: str, _known: Known) -> Iterator[Plan]:
    """Storms of errors, as operator-chaos raises them, and the apiserver gone for a while."""
    ten = {"count": None, "seconds": 10.0}
    table: dict[str, tuple[Fault, ...]] = {
        "conflicts": (
            Answer(on=Requests(verb="update", probability=0.7, **ten), status=409),
            Answer(on=Requests(verb="patch", probability=0.5, **ten), status=409),
        ),
        "throttle": (
            Hold(on=Requests(verb="get", probability=0.3, **ten), least=0.5, most=1.0),
            Hold(on=Requests(verb="list", probability=0.2, **ten), least=0.5, most=1.0),
        ),
        "watches-cut": (Lose(on=Requests(verb="watch", probability=0.4, **ten)),),
        "partition": (Lose(on=Requests(**ten)),),
        "slow": (Hold(on=Requests(**ten), least=1.5, most=2.5),),
        "denied": (Answer(on=Requests(**ten), status=403),),
        "unknown": (Answer(on=Requests(**ten), status=401),),
        "down": (Answer(on=Requests(**ten), status=503),),
        "throttled": (Answer(on=Requests(**ten), status=429, retry_after=1),),
        "every-write-twice-denied": (Answer(on=Requests(writes=True, probability=0.67, **ten), status=403),),
        "server-errors": (Answer(on=Requests(probability=0.3, **ten), status=500),),
    }
    for text, parts in table.items():
        yield _plan("storms", workload, text, *parts)


def chaotic(workload: str, _known: Known) -> Iterator[Plan]:
    """Let others do to the cluster what operator-chaos does."""
    for kind, variants in chaos.TYPES.items():
        for variant in variants:
            text = f"{kind}-{variant}"
            yield Plan(name=f"chaos/{workload}/{text}", workload=workload, chaos=f"{kind}/{variant}")


def operation_chains(workload: str, _known: Known | None) -> Iterator[Plan]:
    """Live chains of operations that the schema gives."""
    for seed in range(1, CHAINS + 1):
        yield Plan(name=f"chains/{workload}/{seed}", workload=workload, seed=seed)


@dataclass(frozen=True, slots=True)
class Class:
    """One class of plans: how they are made, and for which workloads."""

    maker: Callable[..., Iterator[Plan]]
    workloads: tuple[str, ...]


CLASSES: dict[str, Class] = {
    "crash": Class(crash, tuple(name for name in WORKLOADS if name != "rest")),
    "crash-twice": Class(crash_twice, ("promote", "withdraw", "return-warm")),
    "unobserved": Class(unobserved, ("create", "canary", "promote", "withdraw", "recreate")),
    "stale": Class(stale, ("create", "promote", "withdraw", "return-warm", "third", "delete", "recreate")),
    "errors": Class(errors, ("create", "canary", "promote", "withdraw", "shadow")),
    "storms": Class(storms, ("create", "canary", "promote", "withdraw", "return-warm", "shadow", "third")),
    "chaos": Class(chaotic, ("rest",)),
    "chains": Class(operation_chains, (CHAIN,)),
}


def _plan(kind: str, workload: str, text: str, *parts: Fault) -> Plan:
    return Plan(name=f"{kind}/{workload}/{text}", workload=workload, faults=parts)


def _aims(writes: list[Exchange]) -> Iterator[tuple[int, Requests, str]]:
    """Return each write's number, how to aim at it, and its name in a plan's name."""
    before: Counter[tuple[str, str, str]] = Counter()
    for number, write in enumerate(writes, 1):
        name = None if write.resource == "events" else write.name
        key = (write.verb, write.resource, name or "")
        before[key] += 1
        aim = Requests(verb=write.verb, resource=write.resource, name=name, first=before[key])
        short = f"{write.verb}-{write.resource.replace('/', '.')}"
        yield number, aim, f"{short}-{write.name.removeprefix('fraud')}" if name not in {None, "fraud"} else short


def _event_aims(events: list[Event]) -> Iterator[tuple[int, Events, str]]:
    """Return each event's number, how to aim at it, and its name. Pods go by their order."""
    before: Counter[tuple[str, str, str]] = Counter()
    for number, event in enumerate(events, 1):
        name = None if event.resource == "pods" else event.name
        key = (event.resource, event.type, name or "")
        before[key] += 1
        aim = Events(resource=event.resource, type=event.type, name=name, first=before[key])
        yield number, aim, f"{event.type.lower()}-{event.resource}"
