"""Plans made from what was learned: every write, every event and every request gets its turn.

A write is aimed at by what it is and how often that came before (the second patch of the VirtualService), not by its
number in the run: other runs may put other writes between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from campaign import chaos
from campaign.asked import WRITES
from campaign.faults import (
    Answer,
    Break,
    Events,
    Fault,
    Hide,
    Hold,
    Kill,
    Late,
    Lose,
    Plan,
    Requests,
    Swallow,
    Travel,
    Twice,
)
from campaign.known import Known
from campaign.tape import Event
from campaign.workloads import CHAIN, WORKLOADS

POSITIONS = ("before", "committed", "answered")
ERRORS = (401, 403, 404, 409, 410, 422, 429, 500, 503, 504)
OFTEN = ((1, "committed"), (2, "before"), (2, "committed"))
"""At each so-manieth write, and where: a process that never lives for long."""
OFTEN_TIMES = 8
STRIDE = 12
"""Of the requests of a run, every so-manieth gets the error; so many plans give each request its turn."""
TRAVEL_SECONDS = 6.0
LAG_SECONDS = 5.0
LATE_SECONDS = 3.0
HIDDEN = ("networking.istio.io", "autoscaling", "ferryman.dev")
CHAINS = 30
"""Of 21 operations each: more than 600."""
HANG_SECONDS = 35.0
"""More than the operator's own patience with a request."""


def crash(workload: str, known: Known) -> Iterator[Plan]:
    """Kill the operator around each write, and again and again at whatever it writes."""
    for number, aim, text in _aims(known):
        for position in POSITIONS:
            yield _plan("crash", workload, f"{number}-{text}-{position}", Kill(on=aim, position=position))
    for every, position in OFTEN:
        often = Requests(writes=True, every=every, count=OFTEN_TIMES)
        yield _plan("crash", workload, f"each-{every}-{position}", Kill(on=often, position=position))


def crash_twice(workload: str, known: Known) -> Iterator[Plan]:
    """Kill it around each write, and again around each write that it makes after that."""
    count = len(known.writes)
    for number, aim, text in _aims(known):
        for position, left in (("before", count - number + 1), ("committed", count - number)):
            first = Kill(on=aim.model_copy(update={"life": 1}), position=position)
            for later in range(1, left + 1):
                for again in ("before", "committed") if later == 1 else ("committed",):
                    second = Kill(on=Requests(writes=True, life=2, first=later), position=again)
                    yield _plan(
                        "crash-twice", workload, f"{number}-{text}-{position}-then-{later}-{again}", first, second
                    )


def unobserved(workload: str, known: Known) -> Iterator[Plan]:
    """Keep each event from the operator, hold it up, tell it twice; break its watches; tell it nothing at all."""
    for number, aim, text in _event_aims(known.events):
        yield _unobserved(workload, f"{number}-{text}", Swallow(on=aim))
    for number, aim, text in _event_aims(known.events):
        if number % 4 == 0:
            yield _unobserved(workload, f"{number}-{text}-twice", Twice(on=aim))
            yield _unobserved(workload, f"{number}-{text}-late", Late(on=aim, for_seconds=LATE_SECONDS))
            both = Swallow(on=aim.model_copy(update={"count": 2}))
            yield _unobserved(workload, f"{number}-{text}-and-next", both)
    for resource in sorted({event.resource for event in known.events}):
        every = Events(resource=resource, count=None)
        yield _unobserved(workload, f"all-{resource}", Swallow(on=every))
        for how in ("cut", "freeze"):
            yield _unobserved(workload, f"{how}-{resource}", Break(on=Events(resource=resource), how=how))
        for code in (410, 429, 500):
            broken = Break(on=Events(resource=resource), how="error", code=code)
            yield _unobserved(workload, f"error-{code}-{resource}", broken)
        for code in (410, 500):
            refused = Answer(on=Requests(verb="watch", resource=resource, life=1, first=2), status=code)
            cut = Break(on=Events(resource=resource, life=1), how="cut")
            yield _unobserved(workload, f"cut-then-{code}-{resource}", cut, refused)
    yield _unobserved(workload, "all", Swallow(on=Events(count=None)))


def _unobserved(workload: str, text: str, *parts: Fault) -> Plan:
    """Return a plan in which the resync, which heals everything, comes too late to heal this."""
    return _plan("unobserved", workload, text, *parts).model_copy(update={"finds_by": "sweep"})


def stale(workload: str, known: Known) -> Iterator[Plan]:
    """Start the operator with a view from before each write, at once or at last; let it read what was as it lives."""
    aims = [each for each in _aims(known) if each[1].resource != "events"]
    for number, aim, text in aims:
        yield _plan("stale", workload, f"{number}-{text}", Travel(on=aim, for_seconds=TRAVEL_SECONDS))
        lag = Travel(on=aim, for_seconds=LAG_SECONDS, restart=False)
        yield _plan("stale", workload, f"{number}-{text}-lag", lag)
        if number % 3 == 0:
            whole = Travel(on=aim, for_seconds=TRAVEL_SECONDS, back="all")
            yield _plan("stale", workload, f"{number}-{text}-whole", whole)
    for back in range(1, len(aims)):  # what was decided then, and not done yet, has been overtaken by now
        number, aim, text = aims[-1]
        further = Travel(on=aim, for_seconds=TRAVEL_SECONDS, back=back)
        yield _plan("stale", workload, f"{number}-{text}-back-{back}", further)


def errors(workload: str, known: Known) -> Iterator[Plan]:
    """Answer each request with each error, several in a run; lose each; let each kind of request hang."""
    for status in ERRORS:
        wait = 1 if status == 429 else None
        for first in range(1, STRIDE + 1):
            on = Requests(first=first, every=STRIDE, count=None, seconds=15.0)
            yield _error(workload, f"{status}-from-{first}", Answer(on=on, status=status, retry_after=wait))
    for committed in (False, True):
        for first in range(1, STRIDE + 1):
            on = Requests(first=first, every=STRIDE, count=None, seconds=15.0)
            text = f"lost-{'answers' if committed else 'requests'}-from-{first}"
            yield _error(workload, text, Lose(on=on, committed=committed))
    for verb, resource in sorted({(each.verb, each.resource) for each in known.requests}):
        if verb != "watch" and resource not in {"events", "leases"}:
            on = Requests(verb=verb, resource=resource)
            held = Hold(on=on, least=HANG_SECONDS, most=HANG_SECONDS)
            yield _error(workload, f"hang-{verb}-{resource}", held)


def _error(workload: str, text: str, fault: Fault) -> Plan:
    """Return a plan that befalls a bystander as well."""
    return _plan("errors", workload, text, fault).model_copy(update={"bystander": True})


def storms(workload: str, known: Known) -> Iterator[Plan]:
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
        "every-write-twice-denied": tuple(_denied_twice(known)),
        **{f"hidden-{group.partition('.')[0]}": (Hide(group=group, on=Requests(**ten)),) for group in HIDDEN},
        "server-errors": (Answer(on=Requests(probability=0.3, **ten), status=500),),
    }
    for text, parts in table.items():
        yield _plan("storms", workload, text, *parts)


def _denied_twice(known: Known) -> Iterator[Fault]:
    """Return what a webhook does that denies every change twice, as Khaos has it."""
    for verb, resource, name in sorted({(each.verb, each.resource, each.name) for each in known.writes}):
        if resource != "events":
            yield Answer(on=Requests(verb=verb, resource=resource, name=name, count=2), status=403)


def chaotic(workload: str, _known: Known) -> Iterator[Plan]:
    """Let others do to the cluster what operator-chaos does."""
    for kind, variants in chaos.TYPES.items():
        for variant in variants:
            text = f"{kind}-{variant}"
            chaotic = f"{kind}/{variant}"
            yield Plan(name=f"chaos/{workload}/{text}", workload=workload, chaos=chaotic, bystander=True)


def operation_chains(workload: str, _known: Known | None) -> Iterator[Plan]:
    """Live chains of operations that the schema gives."""
    for seed in range(1, CHAINS + 1):
        yield Plan(name=f"chains/{workload}/{seed}", workload=workload, seed=seed, bystander=True)


@dataclass(frozen=True, slots=True)
class Class:
    """One class of plans: how they are made, and for which workloads."""

    maker: Callable[..., Iterator[Plan]]
    workloads: tuple[str, ...]


CLASSES: dict[str, Class] = {
    "crash": Class(crash, tuple(name for name in WORKLOADS if name != "rest")),
    "crash-twice": Class(crash_twice, ("promote", "withdraw", "return-warm")),
    "unobserved": Class(unobserved, ("create", "canary", "promote", "withdraw", "recreate")),
    "stale": Class(
        stale, ("create", "promote", "withdraw", "return-warm", "third", "delete", "recreate", "absent-recreate")
    ),
    "errors": Class(errors, ("create", "canary", "promote", "withdraw", "shadow")),
    "storms": Class(storms, ("create", "canary", "promote", "withdraw", "return-warm", "shadow", "third")),
    "chaos": Class(chaotic, ("rest",)),
    "chains": Class(operation_chains, (CHAIN,)),
}


def _plan(kind: str, workload: str, text: str, *parts: Fault) -> Plan:
    return Plan(name=f"{kind}/{workload}/{text}", workload=workload, faults=parts)


def _aims(known: Known) -> Iterator[tuple[int, Requests, str]]:
    """Return each effective write's number, how to aim at it, and its name in a plan's name.

    An aim counts every write that matches, also those that change nothing.
    """
    before: Counter[tuple[str, str, str]] = Counter()
    number = 0
    for write in known.requests:
        if write.verb not in WRITES or write.resource == "leases":
            continue
        name = None if write.resource == "events" else write.name
        key = (write.verb, write.resource, name or "")
        before[key] += 1
        if not write.effective:
            continue
        number += 1
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
