"""The operator as a process: wire everything, run until told to stop, and end loudly when something underneath died.

Exit codes: 0 on a signal, 70 when a part of it ended by itself. When the cluster begins or ceases to serve Istio, the
process starts itself anew in its place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import random
import signal
import sys
import time
from enum import Enum

import kopf

from ferryman import handlers, metrics, settings, watchdog
from ferryman.clock import Steady
from ferryman.cluster import client, errors, kinds
from ferryman.cluster.mesh import Mesh
from ferryman.cluster.nodes import Nodes
from ferryman.cluster.queue import Key, Queue
from ferryman.events import Recorder
from ferryman.reconcile import Reconciler
from ferryman.registry import Registry
from ferryman.settings import Settings

log = logging.getLogger("ferryman")


class Ending(Enum):
    """Why the operator stopped."""

    SIGNAL = 0
    FAULT = 70
    KINDS_CHANGED = None


async def serve(chosen: Settings) -> Ending:
    """Run the operator until something ends it."""
    clock = asyncio.get_running_loop().time
    async with client.connect(metrics.wrote) as api:
        present = await watchdog.served(api)
        mesh = kinds.VIRTUAL_SERVICE.plural in present
        if kinds.MODEL_DEPLOYMENT.plural not in present:
            log.warning("the cluster does not know ModelDeployments yet; waiting for the CRD")
        registry = Registry(chosen, clock)
        reconciler = Reconciler(
            client=api,
            mesh=Mesh(api, clock),
            nodes=Nodes(api, clock),
            registry=registry,
            recorder=Recorder(lambda event: api.create(kinds.EVENT, event), clock, platform.node()),
            settings=chosen,
            now=Steady(),
        )
        queue = Queue(reconciler, _failed, workers=chosen.workers, clock=clock)
        metrics.serve(chosen.metrics_port, queue.depth)
        log.info("watching %s; Istio is %s", _where(chosen), "served" if mesh else "absent")
        try:
            return await _until_one_ends(chosen, api, queue, present, mesh=mesh)
        finally:
            registry.close()


async def _until_one_ends(
    chosen: Settings, api: client.Client, queue: Queue, present: frozenset[str], *, mesh: bool
) -> Ending:
    """Run all parts until the first of them ends, then end the others."""
    stop = asyncio.Event()
    parts: dict[asyncio.Task[object], Ending] = {
        asyncio.create_task(stop.wait(), name="signal"): Ending.SIGNAL,
        asyncio.create_task(watchdog.kinds_change(api, present), name="kinds"): Ending.KINDS_CHANGED,
        asyncio.create_task(watchdog.watch_ends(), name="watches"): Ending.FAULT,
        asyncio.create_task(queue.run(), name="work queue"): Ending.FAULT,
        asyncio.create_task(_resync(chosen, api, queue), name="resync"): Ending.FAULT,
    }
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=handlers.doors(queue.add, mesh=mesh),
        settings=handlers.settings(mesh=mesh),
        clusterwide=not chosen.namespaces,
        namespaces=chosen.namespaces,
        liveness_endpoint=f"http://0.0.0.0:{chosen.liveness_port}/healthz",
    )
    # kopf has taken the signals for itself; but which part ended first is for us to know.
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    parts[asyncio.create_task(kopf.run_tasks(tasks, ignored=ours), name="kopf")] = Ending.FAULT
    ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    first = next(task for task in parts if task in ended)  # a signal before all else
    ending = parts[first]
    if ending is Ending.FAULT and await watchdog.only_a_kind_went(api, present):
        ending = Ending.KINDS_CHANGED
    _tell(first, ending)
    for task in parts:
        task.cancel()
    await asyncio.wait(parts, timeout=15.0)
    return ending


def _tell(first: asyncio.Task[object], ending: Ending) -> None:
    """Say which part ended first, if that is news."""
    if ending is Ending.FAULT:
        error = first.exception()
        why = error or first.result()
        log.error("%s ended (%s); stopping, to be started anew", first.get_name(), why, exc_info=error)
    elif ending is Ending.KINDS_CHANGED:
        log.info("the cluster serves other kinds than at the start; starting anew")


async def _resync(chosen: Settings, api: client.Client, queue: Queue) -> None:
    """Look at every object now and then, whatever the watches say."""
    while True:
        await asyncio.sleep(chosen.resync_seconds * random.uniform(0.9, 1.1))  # noqa: S311 to spread, not to hide
        try:
            for namespace in chosen.namespaces or (None,):
                for body in await api.list(kinds.MODEL_DEPLOYMENT, namespace):
                    metadata = body["metadata"]
                    queue.add(Key(metadata["namespace"], metadata["name"]), after=random.uniform(0, 10))  # noqa: S311
        except errors.ClusterError as error:
            log.warning("resync: %s", error)


def _failed(key: Key, error: Exception, delay: float) -> None:
    """Count and tell a look that failed."""
    metrics.failed(error)
    level = logging.INFO if isinstance(error, errors.Conflict | errors.NotFound) else logging.WARNING
    trace = None if isinstance(error, errors.ClusterError) else error  # those say all there is to say
    said = str(error) or repr(error)
    log.log(level, "%s/%s: %s; again in %.1f s", key.namespace, key.name, said, delay, exc_info=trace)


def _where(chosen: Settings) -> str:
    return f"namespaces {', '.join(chosen.namespaces)}" if chosen.namespaces else "all namespaces"


def main() -> int:
    """Run the operator; return the process's exit code."""
    level = os.environ.get("FERRYMAN_LOG_LEVEL", "INFO")
    logging.basicConfig(
        level=level,
        format="%(asctime)sZ %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    if level != "DEBUG":
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the kubelet's questions
        logging.getLogger("kopf").setLevel(logging.WARNING)  # it tells each event that it hands over
    ending = asyncio.run(serve(settings.read(os.environ)))
    if ending is Ending.KINDS_CHANGED:
        os.execv(sys.executable, [sys.executable, "-m", "ferryman"])  # noqa: S606 the same program, in its own place
    return int(ending.value or 0)


if __name__ == "__main__":
    sys.exit(main())
