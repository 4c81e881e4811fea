"""The operator while it acts: watches, queue, resync, sweep and watchdog, until the first of them ends."""

from __future__ import annotations

import asyncio
import logging
import platform
import random
import signal
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import partial
from typing import Any

import kopf

from ferryman import handlers, metrics, watchdog, webhook
from ferryman.clock import Steady
from ferryman.cluster import discovery, errors, kinds
from ferryman.cluster.client import Client
from ferryman.cluster.kinds import Kind
from ferryman.cluster.lease import Alone, Lease
from ferryman.cluster.mesh import Mesh
from ferryman.cluster.nodes import Nodes
from ferryman.cluster.queue import Key, Queue
from ferryman.cluster.sweep import Sweep, watched
from ferryman.events import Recorder
from ferryman.followers import Followers
from ferryman.news import News
from ferryman.poll import Poll
from ferryman.reconcile import Reconciler
from ferryman.registry.scribe import Scribe
from ferryman.registry.several import Registries
from ferryman.registry.signatures import Signatures
from ferryman.settings import Settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)
RESYNC_AGAIN_SECONDS = 5.0
STOP_SECONDS = 5.0
"""For all parts to end in peace, once nothing is written any more; what has not ended then may never end."""
WRITER_STOPS_SECONDS = 2.0

log = logging.getLogger(__name__)


class Ending(Enum):
    """Why the operator stopped."""

    SIGNAL = "signal"
    LEASE_LOST = "lease"
    KINDS_CHANGED = "kinds"
    FAULT = "fault"


async def act(
    chosen: Settings, api: Client, lease: Lease | Alone, dog: watchdog.Watchdog, receiver: webhook.Receiver
) -> Ending:
    """Act from the moment in which this operator may, until something ends it; then let another one, at once.

    Cancelled, it ends in the same way.
    """
    await lease.acquire()
    clock = asyncio.get_running_loop().time
    present = await discovery.surely_served(api)
    mesh = kinds.VIRTUAL_SERVICE.plural in present
    if kinds.MODEL_DEPLOYMENT.plural not in present:
        log.warning("the cluster does not know ModelDeployments yet; waiting for the CRD")
    registries, followers = Registries(chosen, clock), Followers()
    scribe: Scribe[Key] = Scribe(
        chosen,
        clock,
        lease.guard,
        moved=registries.forget,
        wake=lambda key: queue.add(key),  # noqa: PLW0108 the queue comes later
        registries=registries,
    )
    reconciler = Reconciler(
        client=api,
        mesh=Mesh(api, clock, present=mesh),
        nodes=Nodes(api, clock),
        registries=registries,
        signatures=Signatures(chosen, clock, registries),
        scribe=scribe,
        followers=followers,
        recorder=Recorder(lambda event: api.create(kinds.EVENT, event), clock, platform.node()),
        settings=chosen,
        now=Steady(),
    )
    looks = watchdog.Looks(reconciler, clock)
    queue = Queue(looks, _failed, workers=chosen.workers, clock=clock)
    sweep = Sweep(api, chosen.namespaces, mesh=mesh, lost=metrics.lost_event)
    resync = watchdog.Resync(clock, chosen.resync_seconds)
    dog.watch(watchdog.Watches(_watched(present), clock), resync, looks.overdue)
    news = News(partial(_ask_again, registries, followers, queue), asyncio.get_running_loop().call_later)
    receiver.heard = news.heard
    metrics.act(queue.depth)
    log.info("watching %s; Istio is %s", _where(chosen), "served" if mesh else "absent")

    writer = asyncio.create_task(queue.run(), name="work queue")
    parts: dict[asyncio.Task[Any], Ending] = {
        asyncio.create_task(lease.keep(), name="lease"): Ending.LEASE_LOST,
        asyncio.create_task(discovery.kinds_change(api, present), name="kinds"): Ending.KINDS_CHANGED,
        asyncio.create_task(dog.run(), name="watchdog"): Ending.FAULT,
        asyncio.create_task(_sweep(chosen, sweep, queue), name="sweep"): Ending.FAULT,
        **dict.fromkeys(_polls(chosen, registries, followers, queue), Ending.FAULT),
        asyncio.create_task(_resync(chosen, api, queue, resync), name="resync"): Ending.FAULT,
        asyncio.create_task(_kopf(chosen, queue, sweep, mesh=mesh), name="kopf"): Ending.FAULT,
        writer: Ending.FAULT,
    }
    try:
        ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in parts if task in ended)  # a lost Lease before all else
        ending = parts[first]
        if ending is Ending.FAULT and await discovery.only_a_kind_went(api, present):
            ending = Ending.KINDS_CHANGED
        _tell(first, ending)
    finally:
        receiver.heard = None
        await _end([writer], WRITER_STOPS_SECONDS)
        await lease.release()
        await _end(parts, STOP_SECONDS)
        scribe.close()
        registries.close()
    return ending


async def _kopf(chosen: Settings, queue: Queue, sweep: Sweep, *, mesh: bool) -> None:
    """Let kopf watch."""
    ours = asyncio.all_tasks()  # whatever begins later, kopf ends with itself
    ends = {each: signal.getsignal(each) for each in SIGNALS}
    tasks = await kopf.spawn_tasks(
        registry=handlers.doors(queue.add, sweep.heard, mesh=mesh),
        settings=handlers.settings(mesh=mesh),
        clusterwide=not chosen.namespaces,
        namespaces=chosen.namespaces,
    )
    for each, handler in ends.items():  # kopf has taken the signals for itself
        asyncio.get_running_loop().remove_signal_handler(each)
        signal.signal(each, handler)
    await kopf.run_tasks(tasks, ignored=ours)


async def _resync(chosen: Settings, api: Client, queue: Queue, sign: watchdog.Resync) -> None:
    """Look at every object now and then, whatever the watches say."""
    wait, spread = chosen.resync_seconds, chosen.resync_seconds / 30
    while True:
        await asyncio.sleep(wait * random.uniform(0.9, 1.1))  # noqa: S311 to spread, not to hide
        wait = chosen.resync_seconds
        for namespace in chosen.namespaces or (None,):
            try:
                async for metadata in api.metadata(kinds.MODEL_DEPLOYMENT, namespace):
                    queue.add(Key(metadata["namespace"], metadata["name"]), after=random.uniform(0, spread))  # noqa: S311
            except (errors.NotFound, errors.Forbidden) as error:
                log.warning("resync: %s", error)  # to begin anew would not give us a kind, or a right
            except errors.ClusterError as error:
                log.warning("resync: %s", error)
                wait = min(wait, RESYNC_AGAIN_SECONDS)
                break
        else:
            sign.succeeded()


async def _sweep(chosen: Settings, sweep: Sweep, queue: Queue) -> None:
    """Look at every object of which something changed unheard."""
    while True:
        await asyncio.sleep(chosen.sweep_seconds * random.uniform(0.9, 1.1))  # noqa: S311 to spread, not to hide
        for key in await sweep():
            queue.add(key)


def _polls(
    chosen: Settings, registries: Registries, followers: Followers, queue: Queue
) -> Iterator[asyncio.Task[None]]:
    """Poll every registry, each at its own pace."""
    for server, registry in registries.each():
        followed, moved = partial(followers.named, server), partial(_look_at, followers, queue, server)
        yield asyncio.create_task(Poll(chosen, registry, followed, moved).run(), name=f"poll {server or 'MLflow'}")


def _ask_again(registries: Registries, followers: Followers, queue: Queue, model: str) -> None:
    """Look at whoever follows a registered model of which there is news."""
    registries.forget(model)
    for key in followers.of(model):
        queue.add(key)


def _look_at(followers: Followers, queue: Queue, server: str | None, uri: str) -> None:
    """Look at whoever names what does not mean what it meant."""
    for key in followers.at(uri, server):
        queue.add(key)


async def _end(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
    """Cancel tasks, and wait until they have ended."""
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=seconds)


def _tell(first: asyncio.Task[Any], ending: Ending) -> None:
    """Say which part ended first, if that is news."""
    error = first.exception()
    why = error or first.result()
    match ending:
        case Ending.FAULT:
            log.error("%s ended (%s); stopping, to be started anew", first.get_name(), why, exc_info=error)
        case Ending.LEASE_LOST:
            log.error("the Lease is lost (%s); starting anew", why, exc_info=error)
        case Ending.KINDS_CHANGED:
            log.info("the cluster serves other kinds than at the start; starting anew")
        case Ending.SIGNAL:
            pass


def _failed(key: Key, error: Exception, delay: float) -> None:
    """Count and tell a look that failed."""
    metrics.failed(error)
    level = logging.INFO if isinstance(error, errors.Conflict | errors.NotFound) else logging.WARNING
    trace = None if isinstance(error, errors.ClusterError) else error  # those say all there is to say
    said = str(error) or repr(error)
    log.log(level, "%s/%s: %s; again in %.1f s", key.namespace, key.name, said, delay, exc_info=trace)


def _watched(present: frozenset[str]) -> Iterator[Kind]:
    """Return the kinds that are to be watched; ours only when it is there."""
    if kinds.MODEL_DEPLOYMENT.plural in present:
        yield kinds.MODEL_DEPLOYMENT
    yield from watched(mesh=kinds.VIRTUAL_SERVICE.plural in present)


def _where(chosen: Settings) -> str:
    return f"namespaces {', '.join(chosen.namespaces)}" if chosen.namespaces else "all namespaces"
